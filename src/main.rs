//! temporary
#![expect(clippy::disallowed_methods, reason = "edge")]
use std::path::PathBuf;
fn main() -> std::process::ExitCode {
    let args: Vec<String> = std::env::args().collect();
    let home = PathBuf::from(std::env::var("PARACHUTE_HOME").unwrap());
    let port = args.iter().position(|a| a == "--port").and_then(|i| args[i + 1].parse().ok());
    let options = parachute::hub::serve::ServeOptions {
        home: parachute::home::paths::Home::at(home),
        port,
        host: None,
        demo: args.contains(&"--demo".into()),
        env: std::env::vars_os().collect(),
        exe: std::env::current_exe().unwrap(),
        has_terminal: false,
    };
    match parachute::hub::serve::run(options) {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("error: {e}\nhint: {}", e.next());
            std::process::ExitCode::from(if e.needs_person() { 78 } else { 1 })
        }
    }
}
