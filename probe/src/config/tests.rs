use super::*;

fn layer(text: &str) -> Layer {
    file::parse(Path::new("connprobe.toml"), text).unwrap()
}

fn file_error(text: &str) -> String {
    file::parse(Path::new("connprobe.toml"), text).unwrap_err().to_string()
}

#[test]
fn flag_beats_environment_beats_file_beats_default() {
    let file = layer("output = 'json'\nport = [80, '443']\nhold_ms = 5");
    let env = |name: &str| match name {
        "CONNPROBE_OUTPUT" => Some("csv".to_owned()),
        "CONNPROBE_PORT" => Some("8080".to_owned()),
        "CONNPROBE_PID" => Some(String::new()),
        _ => None,
    };
    let flags = Layer { output: Some(FormatName::Ecs), ..Layer::default() };
    let (config, origins) =
        Config::from_layers(Some(("a.toml".into(), file)), Layer::from_env(env).unwrap(), flags).unwrap();
    assert_eq!((config.output, &origins.output), (FormatName::Ecs, &Origin::Flag("--output".into())));
    assert_eq!(config.port, "8080".parse().unwrap());
    assert_eq!(origins.port, Origin::Environment("CONNPROBE_PORT".into()));
    assert_eq!((config.hold_ms, &origins.hold_ms), (5, &Origin::File("a.toml".into())));
    assert_eq!((config.max_connections, &origins.max_connections), (1_000_000, &Origin::Default));
    assert_eq!(origins.pid, Origin::Default, "an empty variable says nothing");
}

#[test]
fn the_sample_is_the_defaults() {
    let (config, _) =
        Config::from_layers(Some(("s".into(), layer(&sample()))), Layer::default(), Layer::default())
            .unwrap();
    assert_eq!(config, Config::default());
    for key in Config::KEYS {
        assert!(sample().contains(&format!("{key} = ")), "{key}");
    }
}

#[test]
fn the_examples_of_the_sample_can_be_used() {
    let text = sample();
    let examples: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("# ")).collect();
    let examples =
        examples.iter().filter(|line| Config::KEYS.iter().any(|key| line.starts_with(&format!("{key} = "))));
    let layer = layer(&examples.copied().collect::<Vec<_>>().join("\n"));
    assert!(layer.duration.is_some() && layer.role.is_some() && layer.record.is_some());
}

#[test]
fn what_is_printed_reads_back() {
    let text = "events = 'failed,closed'\npid = [1, 2]\ncomm = 'a*'\naddr = ['10.0.0.0/8', '::1']\nduration = '90s'\n\
        count = 3\nfamily = 'ipv6'\nrole = 'server'\nfailures = true\nbuffer = '3M'\noutput_file = 'x\"y'";
    let (config, origins) =
        Config::from_layers(Some(("f.toml".into(), layer(text))), Layer::default(), Layer::default())
            .unwrap();
    let printed = effective(&config, &origins);
    assert!(printed.contains("count = 3") && printed.contains("# from f.toml"), "{printed}");
    let (again, _) =
        Config::from_layers(Some(("g".into(), layer(&printed))), Layer::default(), Layer::default()).unwrap();
    assert_eq!(again, config);
    assert_eq!(config.buffer, Bytes(4 << 20), "rounded up to a power of two");
    insta::assert_snapshot!(printed);
}

#[test]
fn sample_file() {
    insta::assert_snapshot!(sample());
}

#[test]
fn errors_name_file_line_and_key() {
    insta::assert_snapshot!(
        [
            file_error("output = 'json'\n\nprot = 80\n"),
            file_error("# x\naddr = '10.0.0.0/33'"),
            file_error("port = [80,\n  99999]"),
            file_error("output = json"),
            file_error("failures = 'maybe'"),
            file_error("count = -1"),
            file_error("duration = 'soon'"),
            file_error("role = 'waiter'"),
            file_error("buffer = 1.5"),
            file_error("[filter]\npid = 1"),
            file_error("pid = 1\npid = 2"),
        ]
        .join("\n")
    );
}

#[test]
fn values_out_of_bounds_say_where_they_come_from() {
    let error = |text: &str| {
        let file = Some(("c.toml".into(), layer(text)));
        Config::from_layers(file, Layer::default(), Layer::default()).unwrap_err().to_string()
    };
    insta::assert_snapshot!(
        [
            error("buffer = '1K'"),
            error("buffer = '4G'"),
            error("max_connections = 0"),
            error("hold_ms = 60000"),
            error("count = 0"),
            error("output_queue = 1"),
        ]
        .join("\n")
    );
    let env = |name: &str| (name == "CONNPROBE_ADDR").then(|| "10.0.0/8".to_owned());
    let error = Layer::from_env(env).unwrap_err().to_string();
    assert!(error.starts_with("bad environment variable CONNPROBE_ADDR: bad CIDR"), "{error}");
}

#[test]
fn a_missing_file_that_was_asked_for_is_an_error() {
    let error = file::read(Path::new("/no/such/connprobe.toml")).unwrap_err().to_string();
    assert!(error.contains("/no/such/connprobe.toml"), "{error}");
}

#[test]
fn the_first_file_in_the_usual_places_is_taken() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("connprobe/config.toml");
    let get = |name: &str| (name == "XDG_CONFIG_HOME").then(|| dir.path().to_string_lossy().into_owned());
    assert_ne!(file::search(&get).as_ref(), Some(&path));
    std::fs::create_dir(dir.path().join("connprobe")).unwrap();
    std::fs::write(&path, "").unwrap();
    assert_eq!(file::search(&get), Some(path));
}

#[test]
fn the_filters_in_force_are_told_as_flags() {
    let text = "pid = [1, 2]\nfailures = true\noutput = 'json'\nlocal_port = '22'";
    let (config, _) =
        Config::from_layers(Some(("f".into(), layer(text))), Layer::default(), Layer::default()).unwrap();
    assert_eq!(config.filter_flags(), ["--pid=1,2", "--local-port=22", "--failures"]);
    assert_eq!(Config::default().filter_flags(), [""; 0]);
}

#[test]
fn sizes() {
    for (text, bytes) in [("4096", 4096), ("64K", 64 << 10), ("64 MiB", 64 << 20), ("1g", 1 << 30)] {
        assert_eq!(text.parse(), Ok(Bytes(bytes)));
        assert_eq!(Bytes(bytes).to_string().parse(), Ok(Bytes(bytes)));
    }
    for text in ["", "M", "1.5M", "-1", "99999999999G", "64Mx"] {
        assert!(text.parse::<Bytes>().is_err(), "{text}");
    }
}

#[test]
fn log_levels_move_in_steps() {
    assert_eq!(LogLevel::Warn.louder(1), LogLevel::Info);
    assert_eq!(LogLevel::Warn.louder(255), LogLevel::Trace);
    assert_eq!(LogLevel::Warn.louder(-2), LogLevel::Off);
    assert_eq!(LogLevel::Warn.louder(-255), LogLevel::Off);
}
