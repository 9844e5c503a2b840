//! `connprobe man [COMMAND]`.

use std::io::Write;

use anyhow::Context;
use clap::CommandFactory;

use crate::cli::{Cli, ManArgs};

/// Prints the page of one command, or one page with all of them.
pub(super) fn run(args: &ManArgs, out: &mut impl Write) -> anyhow::Result<()> {
    let mut cli = Cli::command();
    cli.build();
    let mut page = Vec::new();
    match &args.command {
        Some(name) => {
            let command = cli.find_subcommand(name).with_context(|| format!("no command `{name}`"))?;
            clap_mangen::Man::new(command.clone()).render(&mut page)?;
        }
        None => whole(&cli, &mut page)?,
    }
    // clap calls what is below the flags EXTRA; it is examples and exit codes.
    out.write_all(String::from_utf8(page)?.replace(" EXTRA\n", " NOTES\n").as_bytes())?;
    Ok(())
}

fn whole(cli: &clap::Command, page: &mut Vec<u8>) -> anyhow::Result<()> {
    let top = clap_mangen::Man::new(cli.clone());
    top.render_title(page)?;
    top.render_name_section(page)?;
    top.render_synopsis_section(page)?;
    top.render_description_section(page)?;
    top.render_options_section(page)?;
    for command in cli.get_subcommands().filter(|command| command.get_name() != "help") {
        // What every command has is told once, above.
        let own = |arg: clap::Arg| {
            let everywhere = arg.is_global_set() || arg.get_id() == "help";
            if everywhere { arg.hide(true) } else { arg }
        };
        let man = clap_mangen::Man::new(command.clone().mut_args(own));
        writeln!(page, ".SH \"CONNPROBE {}\"", command.get_name().to_uppercase())?;
        let mut sections = Vec::new();
        man.render_description_section(&mut sections)?;
        man.render_synopsis_section(&mut sections)?;
        man.render_options_section(&mut sections)?;
        man.render_extra_section(&mut sections)?;
        page.extend(String::from_utf8(sections)?.replace(".SH ", ".SS ").as_bytes());
    }
    top.render_extra_section(page)?;
    Ok(())
}
