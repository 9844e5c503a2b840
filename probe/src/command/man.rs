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
    out.write_all(&page)?;
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
        let man = clap_mangen::Man::new(command.clone());
        writeln!(page, ".SH \"CONNPROBE {}\"", command.get_name().to_uppercase())?;
        for section in [
            section(|out| man.render_description_section(out))?,
            section(|out| man.render_synopsis_section(out))?,
            section(|out| man.render_options_section(out))?,
            section(|out| man.render_extra_section(out))?,
        ] {
            page.extend(section.replace(".SH ", ".SS ").as_bytes());
        }
    }
    top.render_extra_section(page)?;
    Ok(())
}

fn section(render: impl Fn(&mut Vec<u8>) -> std::io::Result<()>) -> anyhow::Result<String> {
    let mut out = Vec::new();
    render(&mut out)?;
    Ok(String::from_utf8(out)?)
}
