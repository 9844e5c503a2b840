//! Examples and contracts printed below the flags.

use crate::exit::Code;

/// Below the help of `connprobe`.
pub(super) fn top() -> String {
    format!(
        "Examples:
  connprobe trace                        everything, as it happens
  connprobe trace --failures             only what goes wrong
  connprobe trace -o json --port 443     JSON lines of what uses port 443
  connprobe report night.cpr             what went wrong in a recorded night
  connprobe ls                           the sockets of this moment
  connprobe explain ECONNREFUSED         what it means, usual reasons, what to look at next
  connprobe doctor                       what works on this host

Each setting is an environment variable (CONNPROBE_LOCAL_PORT) and a key of the config file (local_port), most are
a flag too (--local-port): the flag counts before the variable, the variable before the file. `connprobe config`
shows them.

Exit codes:
{}",
        Code::table().trim_end()
    )
}

pub(super) const TRACE: &str = "\
Examples:
  connprobe trace --failures --comm 'nginx*'
  connprobe trace --port 80,443,8000-8100 --addr 10.0.0.0/8,2001:db8::/32
  connprobe trace --role server --local-port 22 --resolve
  connprobe trace -o json --duration 10s | jq -c 'select(.event==\"failed\")'
  connprobe trace --output csv --output-file connections.csv --count 1000
  connprobe trace --events default,retransmit --unit postgresql
  connprobe trace --record night.cpr --buffer 256M

SIGINT and SIGTERM end it with a `stop` record, SIGHUP reopens --output-file. CSV and JSON carry the
same names; `connprobe schema` explains them.";

pub(super) const REPLAY: &str = "\
Examples:
  connprobe replay night.cpr
  connprobe replay night.cpr --failures -o json
  connprobe replay night.cpr --comm curl --events failed";

pub(super) const REPORT: &str = "\
Examples:
  connprobe report night.cpr
  connprobe report night.cpr --since 23:30 --until 01:00 --unit postgresql
  connprobe report night.cpr --output html --output-file report.html
  connprobe report --live 60s
  connprobe trace -o json --duration 1h > hour.jsonl; connprobe report hour.jsonl --top 3

FILE is a record file or JSON lines of `connprobe trace -o json`, whichever it turns out to be. With
--live, root is needed and Ctrl-C ends it early with a report. A report says so when it rests on an
incomplete stream.";

pub(super) const DOCTOR: &str = "\
Exit code 0 only if tracing works here; 3 if a capability is missing, 4 if the kernel cannot.";

pub(super) const CONFIG: &str = "\
Examples:
  connprobe config
  connprobe config --sample > ~/.config/connprobe/config.toml";

pub(super) const SCHEMA: &str = "\
Examples:
  connprobe schema > connprobe.schema.json";

pub(super) const COMPLETIONS: &str = "\
Examples:
  connprobe completions bash > /etc/bash_completion.d/connprobe
  connprobe completions zsh > ~/.zfunc/_connprobe
  connprobe completions fish > ~/.config/fish/completions/connprobe.fish";

pub(super) const MAN: &str = "\
Examples:
  connprobe man | man -l -
  connprobe man trace > connprobe-trace.1";
