//! Arguments of `connprobe ls`.

use clap::{Args, ValueEnum};
use ipnet::IpNet;

use super::{Selection, StateSet, parse_network, parse_state};
use crate::kernel::sock_diag::Transport;

/// Shows all TCP and UDP sockets with their owners.
///
/// Works without root for what the kernel lets the caller see, and says on standard error what that leaves out.
#[derive(Args, Clone, Debug, Default)]
#[command(after_help = "\
Examples:
  connprobe ls --listening                   what listens here, and who
  connprobe ls --port 5432 --state close-wait
  connprobe ls --addr 10.0.0.0/8 --comm nginx
  connprobe ls --output json | jq -c 'select(.retransmits > 0)'")]
pub struct LsArgs {
    /// Form of the output
    #[arg(long, short, value_enum, default_value_t, value_name = "FORM")]
    pub output: Form,
    /// Only listening TCP and unconnected UDP sockets
    #[arg(long, short)]
    pub listening: bool,
    /// Only TCP sockets, unless --udp is given too
    #[arg(long, short)]
    pub tcp: bool,
    /// Only UDP sockets, unless --tcp is given too
    #[arg(long, short)]
    pub udp: bool,
    /// Only these states: names of RFC 9293 or of ss (established, close-wait, syn-recv, unconn ...)
    #[arg(long, value_name = "STATE", value_delimiter = ',', value_parser = parse_state)]
    pub state: Vec<StateSet>,
    /// Only with this local or remote port
    #[arg(long, value_name = "PORT", value_delimiter = ',')]
    pub port: Vec<u16>,
    /// Only with a local or remote address in this network
    #[arg(long, value_name = "CIDR", value_delimiter = ',', value_parser = parse_network)]
    pub addr: Vec<IpNet>,
    /// Only sockets this process holds
    #[arg(long, value_name = "PID", value_delimiter = ',')]
    pub pid: Vec<u32>,
    /// Only sockets held by processes of this name
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub comm: Vec<String>,
    /// Only this network namespace: its inode, or its name in /run/netns
    #[arg(long, value_name = "NETNS")]
    pub netns: Option<String>,
    /// Addresses and ports as numbers; always so
    #[arg(long, short)]
    pub numeric: bool,
}

/// Forms of `--output`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// An aligned table for people
    #[default]
    Text,
    /// A JSON object a line, as in `connprobe trace`
    Json,
    /// Comma-separated values with a header line
    Csv,
}

impl LsArgs {
    /// Which sockets to ask the kernel for.
    pub fn transports(&self) -> &'static [Transport] {
        match (self.tcp, self.udp) {
            (true, false) => &[Transport::Tcp],
            (false, true) => &[Transport::Udp],
            (true, true) | (false, false) => &[Transport::Tcp, Transport::Udp],
        }
    }

    /// Which of them to show.
    pub fn selection(&self) -> Selection {
        Selection {
            listening: self.listening,
            states: self.state.clone(),
            ports: self.port.clone(),
            networks: self.addr.clone(),
            pids: self.pid.clone(),
            comms: self.comm.clone(),
        }
    }
}
