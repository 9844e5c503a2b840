//! The command line. What the flags say becomes a [`Layer`] of the configuration; nothing else reads them.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, Parser, Subcommand};

use crate::config::{Bytes, ColorChoice, FormatName, Layer, Switch, Value};
use crate::explain::args::ExplainArgs;
use crate::filter::value::Element;
use crate::filter::{Container, Events, List, Netns, Networks, Pattern, Ports, User};
use crate::ls::args::LsArgs;
use crate::record::{Family, Role};

mod help;
mod report;

pub use report::ReportArgs;

/// See every TCP connection of this host: who, with whom, how long, how much, and how it ended.
#[derive(Parser, Debug)]
#[command(name = "connprobe", version, after_help = help::top())]
#[command(subcommand_required = true, arg_required_else_help = true, max_term_width = 100)]
pub struct Cli {
    /// Flags of every command.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Flags of every command.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// Config file [default: $XDG_CONFIG_HOME/connprobe/config.toml, then /etc/connprobe/config.toml, if there]
    #[arg(long, global = true, value_name = "FILE", env = "CONNPROBE_CONFIG", hide_env_values = true)]
    pub config: Option<PathBuf>,
    /// No colours, as with NO_COLOR=1
    #[arg(long, global = true)]
    pub no_color: bool,
    /// Say more on stderr (-vv: even more)
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,
    /// Say less on stderr (-qq: nothing)
    #[arg(short, long, global = true, action = ArgAction::Count, conflicts_with = "verbose")]
    pub quiet: u8,
}

impl Global {
    /// Steps by which `-v` and `-q` move the log level.
    pub fn louder(&self) -> i32 {
        i32::from(self.verbose) - i32::from(self.quiet)
    }
}

/// The subcommands.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Show TCP connections as they happen
    #[command(after_help = help::TRACE)]
    Trace(TraceArgs),
    /// Show the records of a file made with `trace --record`, without root
    #[command(after_help = help::REPLAY)]
    Replay(ReplayArgs),
    /// Say what failed, by whom, to whom, why and since when
    #[command(after_help = help::REPORT)]
    Report(ReportArgs),
    /// List the TCP and UDP sockets of this moment
    Ls(LsArgs),
    /// Explain a cause, errno, reset reason or event: what it means and what to look at next
    Explain(ExplainArgs),
    /// Say what works on this host, what is missing, and what to do about it
    #[command(after_help = help::DOCTOR)]
    Doctor,
    /// Print the configuration in force and where each value comes from
    #[command(after_help = help::CONFIG)]
    Config(ConfigArgs),
    /// Print the JSON Schema of the records
    #[command(after_help = help::SCHEMA)]
    Schema,
    /// Print a completion script for a shell
    #[command(after_help = help::COMPLETIONS)]
    Completions(CompletionsArgs),
    /// Print the manual page
    #[command(after_help = help::MAN)]
    Man(ManArgs),
}

/// Flags of `trace`.
#[derive(Args, Clone, Debug, Default)]
pub struct TraceArgs {
    /// How records are shown.
    #[command(flatten)]
    pub output: OutputArgs,
    /// Which records are shown.
    #[command(flatten)]
    pub filter: FilterArgs,
    /// Stop after this time: 500ms, 5s, 10m, 1h30m
    #[arg(long, value_name = "TIME", value_parser = crate::config::duration, help_heading = "Limits")]
    pub duration: Option<Duration>,
    /// Record the raw events to FILE, for `connprobe replay`; FILE must not exist yet
    #[arg(long, value_name = "FILE", help_heading = "Capture")]
    pub record: Option<PathBuf>,
    /// Size of the kernel's ring buffer [default: 64M]
    #[arg(long, value_name = "SIZE", help_heading = "Capture")]
    pub buffer: Option<Bytes>,
}

/// Flags of `replay`.
#[derive(Args, Clone, Debug, Default)]
pub struct ReplayArgs {
    /// File made with `connprobe trace --record FILE`
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// How records are shown.
    #[command(flatten)]
    pub output: OutputArgs,
    /// Which records are shown.
    #[command(flatten)]
    pub filter: FilterArgs,
}

/// How records are shown.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Output")]
pub struct OutputArgs {
    /// Form of the output [default: text]
    #[arg(long, short = 'o', value_enum, value_name = "FORM")]
    pub output: Option<FormatName>,
    /// Append to FILE instead of stdout (`-`); reopened on SIGHUP
    #[arg(long, value_name = "FILE")]
    pub output_file: Option<PathBuf>,
    /// Look up the names of remote addresses (DNS)
    #[arg(long)]
    pub resolve: bool,
    /// Put boot id and host name into every record
    #[arg(long)]
    pub host_fields: bool,
    /// Stop after N records
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..), help_heading = "Limits")]
    pub count: Option<u64>,
}

/// Which records are shown. All that are given must match; in a list, one must.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Filters")]
pub struct FilterArgs {
    /// Events: `default` (all but retransmit and state), `all`, or names such as failed,closed
    #[arg(long, short = 'e', value_name = "EVENTS")]
    pub events: Vec<Events>,
    /// Process ids
    #[arg(long, short = 'p', value_name = "PIDS")]
    pub pid: Vec<List<u32>>,
    /// Command names; `*` and `?` are wildcards
    #[arg(long, short = 'c', value_name = "NAMES")]
    pub comm: Vec<List<Pattern>>,
    /// Users, by number or name
    #[arg(long, value_name = "USERS")]
    pub uid: Vec<List<User>>,
    /// Ports on either side: 80,443,8000-8100
    #[arg(long, value_name = "PORTS")]
    pub port: Vec<Ports>,
    /// Ports on this host
    #[arg(long, value_name = "PORTS")]
    pub local_port: Vec<Ports>,
    /// Ports of the peer
    #[arg(long, value_name = "PORTS")]
    pub remote_port: Vec<Ports>,
    /// Networks or addresses on either side: 10.0.0.0/8,2001:db8::1
    #[arg(long, value_name = "CIDRS")]
    pub addr: Vec<Networks>,
    /// Address family: ipv4 or ipv6
    #[arg(long, value_name = "FAMILY", value_parser = named::<Family>)]
    pub family: Option<Family>,
    /// Network namespaces, by inode or path
    #[arg(long, value_name = "NETNS")]
    pub netns: Vec<List<Netns>>,
    /// Systemd units; `.service` may be left out, `*` and `?` are wildcards
    #[arg(long, value_name = "UNITS")]
    pub unit: Vec<List<Pattern>>,
    /// Container ids, or their first characters
    #[arg(long, value_name = "IDS")]
    pub container: Vec<List<Container>>,
    /// Side of the connection this host is: client, server or unknown
    #[arg(long, value_name = "ROLE", value_parser = named::<Role>)]
    pub role: Option<Role>,
    /// Only what went wrong
    #[arg(long, short = 'f')]
    pub failures: bool,
}

/// Flags of `config`.
#[derive(Args, Clone, Debug, Default)]
pub struct ConfigArgs {
    /// Print a sample file with every setting at its default instead
    #[arg(long)]
    pub sample: bool,
}

/// Flags of `completions`.
#[derive(Args, Clone, Debug)]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}

/// Names of the subcommands.
pub const COMMANDS: [&str; 10] =
    ["trace", "replay", "report", "ls", "explain", "doctor", "config", "schema", "completions", "man"];

/// Flags of `man`.
#[derive(Args, Clone, Debug, Default)]
pub struct ManArgs {
    /// Only the page of this command
    #[arg(value_name = "COMMAND", value_parser = clap::builder::PossibleValuesParser::new(COMMANDS))]
    pub command: Option<String>,
}

fn named<T>(text: &str) -> Result<T, String>
where
    Option<T>: Value,
{
    Option::<T>::parse(text)?.ok_or_else(|| format!("unknown value `{text}`"))
}

impl Global {
    /// What the flags of every command say.
    pub fn layer(&self) -> Layer {
        Layer { color: self.no_color.then_some(ColorChoice::Never), ..Layer::default() }
    }
}

impl TraceArgs {
    /// What the flags say.
    pub fn layer(&self, global: &Global) -> Layer {
        Layer {
            duration: self.duration.map(Some),
            record: self.record.clone().map(Some),
            buffer: self.buffer,
            ..self.filter.over(self.output.over(global.layer()))
        }
    }
}

impl ReplayArgs {
    /// What the flags say.
    pub fn layer(&self, global: &Global) -> Layer {
        self.filter.over(self.output.over(global.layer()))
    }
}

impl OutputArgs {
    fn over(&self, layer: Layer) -> Layer {
        Layer {
            output: self.output,
            output_file: self.output_file.clone().map(Some),
            resolve: self.resolve.then_some(Switch(true)),
            host_fields: self.host_fields.then_some(Switch(true)),
            count: self.count.map(Some),
            ..layer
        }
    }
}

impl FilterArgs {
    fn over(&self, layer: Layer) -> Layer {
        Layer {
            events: self.events.iter().copied().reduce(Events::union),
            pid: merge(&self.pid),
            comm: merge(&self.comm),
            uid: merge(&self.uid),
            port: ports(&self.port),
            local_port: ports(&self.local_port),
            remote_port: ports(&self.remote_port),
            addr: (!self.addr.is_empty())
                .then(|| Networks(self.addr.iter().flat_map(|networks| networks.0.clone()).collect())),
            family: self.family.map(Some),
            netns: merge(&self.netns),
            unit: merge(&self.unit),
            container: merge(&self.container),
            role: self.role.map(Some),
            failures: self.failures.then_some(Switch(true)),
            ..layer
        }
    }
}

/// A flag given several times is one longer list.
fn merge<T: Element + Clone>(lists: &[List<T>]) -> Option<List<T>> {
    (!lists.is_empty()).then(|| List(lists.iter().flat_map(|list| list.0.clone()).collect()))
}

fn ports(lists: &[Ports]) -> Option<Ports> {
    (!lists.is_empty()).then(|| Ports(lists.iter().flat_map(|ports| ports.0.clone()).collect()))
}

#[cfg(test)]
mod tests;
