//! Arguments of `connprobe explain`.

use std::ffi::OsStr;

use clap::builder::{PossibleValue, StringValueParser, TypedValueParser};
use clap::{Args, ValueEnum};

/// Explains a word of the records: what it means in the kernel, its usual reasons, and what to look at next.
///
/// Works without root.
#[derive(Args, Clone, Debug, Default)]
#[command(after_help = "\
Examples:
  connprobe explain                          all terms, one a line
  connprobe explain reset_unread_data        a cause, as JSON has it
  connprobe explain reset unread data        the same, as text has it
  connprobe explain ECONNREFUSED             an errno, in any case
  connprobe explain 111                      the same by its number
  connprobe explain tcp_abort_on_close       the kernel's reason for a RST, SK_RST_REASON_ may precede it
  connprobe explain outage flapping          several
  connprobe explain -o json timed_out | jq -r '.next[].command'

Words in capitals in the commands (PORT, ADDRESS, PID, NAME, UNIT) stand for your own.")]
pub struct ExplainArgs {
    /// Cause, errno by name or number, reset reason, event, or value of closed_by or pid_source; all if left out
    #[arg(value_name = "TERM", value_parser = Terms, hide_possible_values = true, allow_negative_numbers = true)]
    pub terms: Vec<String>,
    /// Form of the output
    #[arg(long, short, value_enum, default_value_t, value_name = "FORM")]
    pub output: Form,
}

/// Forms of `--output`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// Text for people
    #[default]
    Text,
    /// A JSON object a line, one for each term
    Json,
}

/// Takes every word; the terms are possible values only for the sake of completions.
#[derive(Clone, Debug)]
struct Terms;

impl TypedValueParser for Terms {
    type Value = String;

    fn parse_ref(
        &self,
        command: &clap::Command,
        arg: Option<&clap::Arg>,
        value: &OsStr,
    ) -> Result<Self::Value, clap::Error> {
        StringValueParser::new().parse_ref(command, arg, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(super::names().into_iter().map(PossibleValue::new)))
    }
}
