//! The whole command line, as its users read it.

use clap::CommandFactory;
use parachute::cli::root::Root;

/// Every `--help`, in one text. A diff of the snapshot is a change that users see.
#[test]
fn the_whole_reference() {
    let mut root = Root::command().term_width(100);
    root.build();
    let mut text = root.render_long_help().to_string();
    for verb in root.get_subcommands_mut().filter(|verb| !verb.is_hide_set() && verb.get_name() != "help") {
        let help = verb.render_long_help();
        text.push_str(&format!("\n---- {} ----\n\n{help}", verb.get_name()));
    }
    insta::assert_snapshot!(text);
}
