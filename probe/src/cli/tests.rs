use clap::CommandFactory;

use super::*;
use crate::config::Config;

fn trace(flags: &[&str]) -> Layer {
    let cli = Cli::try_parse_from(["connprobe", "trace"].iter().chain(flags)).unwrap();
    let Command::Trace(args) = cli.command else { panic!("not trace") };
    args.layer(&cli.global)
}

#[test]
fn the_definition_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn no_flags_say_nothing() {
    assert_eq!(trace(&[]), Layer::default());
}

#[test]
fn every_flag_reaches_its_setting() {
    let flags = "--output json --output-file o --events failed --pid 1,2 --pid 3 --comm c* --uid ada --port 1-2 \
        --local-port 3 --remote-port 4 --addr 10.0.0.0/8 --addr ::1 --family ipv6 --netns 5 --unit u --container 3f \
        --role server --failures --duration 5s --count 6 --resolve --record r --buffer 1M --host-fields --no-color";
    let layer = trace(&flags.split_whitespace().collect::<Vec<_>>());
    let expected = Layer {
        output: Some(FormatName::Json),
        output_file: Some(Some("o".into())),
        color: Some(ColorChoice::Never),
        host_fields: Some(Switch(true)),
        resolve: Some(Switch(true)),
        events: Some("failed".parse().unwrap()),
        pid: Some("1,2,3".parse().unwrap()),
        comm: Some("c*".parse().unwrap()),
        uid: Some("ada".parse().unwrap()),
        port: Some("1-2".parse().unwrap()),
        local_port: Some("3".parse().unwrap()),
        remote_port: Some("4".parse().unwrap()),
        addr: Some("10.0.0.0/8,::1".parse().unwrap()),
        family: Some(Some(Family::Ipv6)),
        netns: Some("5".parse().unwrap()),
        unit: Some("u".parse().unwrap()),
        container: Some("3f".parse().unwrap()),
        role: Some(Some(Role::Server)),
        failures: Some(Switch(true)),
        duration: Some(Some(Duration::from_secs(5))),
        count: Some(Some(6)),
        record: Some(Some("r".into())),
        buffer: Some(Bytes(1 << 20)),
        ..Layer::default()
    };
    assert_eq!(layer, expected);
}

#[test]
fn every_flag_of_trace_is_a_setting_of_the_same_name() {
    let command = Cli::command();
    let trace = command.find_subcommand("trace").unwrap();
    for flag in trace.get_arguments().filter_map(|arg| arg.get_long()) {
        assert!(Config::KEYS.contains(&flag.replace('-', "_").as_str()), "{flag}");
    }
}

#[test]
fn replay_takes_filters_and_output() {
    let cli = Cli::try_parse_from(["connprobe", "replay", "f.cpr", "-f", "-o", "csv"]).unwrap();
    let Command::Replay(args) = cli.command else { panic!("not replay") };
    assert_eq!(args.file, PathBuf::from("f.cpr"));
    let layer = args.layer(&cli.global);
    assert_eq!((layer.failures, layer.output), (Some(Switch(true)), Some(FormatName::Csv)));
}

#[test]
fn the_list_of_commands_is_whole() {
    let command = Cli::command();
    assert_eq!(command.get_subcommands().map(|command| command.get_name()).collect::<Vec<_>>(), COMMANDS);
}
