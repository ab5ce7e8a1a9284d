//! Every sentence of README.md that states a behaviour, and the tests that prove it. A sentence, a bullet or a row of a
//! table that has no test here fails; so does one here that the README does not have, and a test that does not exist.

use std::collections::BTreeSet;
use std::path::Path;

/// Sections that only name files.
const NO_BEHAVIOUR: [&str; 2] = ["## Documents", "## Licence"];

/// Each sentence as README.md has it, then, indented, the tests that prove it. Line breaks do not count.
const PROVEN: &str = r#"
`parachute` keeps background services running.
    a_user_installs_starts_again_and_uninstalls_without_a_trace the_hub_runs_again_after_a_reboot_and_after_a_power_cut
Give it a command: it starts the command, restarts it when it exits, keeps its logs and says why it failed.
    an_added_command_runs_at_once_and_remove_stops_it_and_names_the_kept_files
    a_crash_is_followed_by_a_new_run_and_why_reports_it files_are_rotated_and_a_limited_number_is_kept

| `cargo run --release -- init` | builds the program, shows what it would change, asks, installs the hub as a unit of
systemd or launchd and starts it; where no service manager runs (a container), it runs the hub in the foreground | 3 to 4
minutes |
    the_two_commands_are_the_ones_that_ci_runs_and_clap_knows a_user_installs_starts_again_and_uninstalls_without_a_trace
    a_hub_is_installed_once_and_status_queries_launchd init_runs_the_hub_in_the_foreground_without_a_service_manager
| `cargo test` | builds and runs every test; the tests in `tests/lab` boot a real systemd in namespaces and need root, else
they print `SKIPPED` and the reason | about 20 minutes |
    the_two_commands_are_the_ones_that_ci_runs_and_clap_knows a_command_runs_as_the_given_user
    a_test_without_a_lab_says_that_it_is_skipped
Both need Rust 1.88 or newer.
    the_version_of_rust_in_the_readme_is_the_one_of_cargo_toml
`parachute uninstall` undoes what `init` did: see [docs/install.md](docs/install.md).
    a_user_installs_starts_again_and_uninstalls_without_a_trace the_receipt_undoes_the_whole_installation

At the end `init` offers to add a first module; answer `3`, nothing now.
    the_first_five_minutes_print_what_the_readme_shows
Then, from the same directory:
    the_first_five_minutes_print_what_the_readme_shows
Any command can be a module.
    an_added_command_runs_at_once_and_remove_stops_it_and_names_the_kept_files
It gets a free port in `PORT`, or the one of `--port`, or needs none with `--no-listen`:
    fifty_adds_at_once_give_fifty_rows_with_fifty_ports a_worker_needs_no_port_and_is_ready_when_it_runs
    an_added_command_runs_at_once_and_remove_stops_it_and_names_the_kept_files
To try it without installing anything, run a second hub with a home and a port of its own; Ctrl-C stops it and its modules:
    the_first_five_minutes_print_what_the_readme_shows two_homes_do_not_mix

`parachute serve` is one process, the *hub*.
    stop_ends_a_foreground_hub_and_waits
The hub runs each *module* (a server, a worker, a script) as a child in a process group of its own.
    each_module_is_a_child_of_the_hub_in_a_process_group_of_its_own
Before each start the hub checks the module's port.
    a_foreign_process_found_at_a_respawn_is_not_touched_and_costs_no_budget a_late_bind_clears_the_note_and_every_restart_is_checked
It ends an earlier instance of the same module.
    an_earlier_instance_of_this_home_on_the_port_is_replaced
It names any other process, leaves it alone, and starts the module when the port is free.
    a_foreign_process_on_the_port_is_named_and_not_touched a_sibling_on_the_port_is_not_touched
    the_same_command_of_another_home_is_not_touched
A module is *ready* when it accepts connections on its port and the listener is its own process.
    a_foreign_listener_makes_no_module_ready a_late_bind_clears_the_note
The hub restarts a module at once after the first crash, then after growing pauses, and gives up after five crashes in a
minute.
    first_at_once_then_doubling_to_the_cap five_in_a_minute_are_too_many_and_the_edge_counts
    the_budget_ends_in_crashed_and_exit_0_counts
A stop ends the module's process group and every daemonised child that kept the module's environment.
    a_stop_ends_wrappers_daemons_and_processes_that_ignore_sigterm a_stop_leaves_the_processes_of_other_modules_alone
It is done when they are gone and the port is free.
    a_stop_ends_wrappers_daemons_and_processes_that_ignore_sigterm a_stuck_group_is_never_reported_as_stopped
If the hub is killed with `kill -9`, its modules keep running, and the next hub adopts them: same processes, no restart.
    a_killed_hub_costs_its_modules_nothing_and_a_stop_of_the_next_leaves_none a_killed_hub_costs_its_modules_nothing
    a_module_writes_on_after_its_hub_was_killed
Under systemd the next hub starts after 100 ms.
    a_hub_that_is_killed_is_restarted_and_adopts_its_modules
Until then a module blocks when 64 KiB of its output are unread, or less if there are more than 256 modules.
    a_module_that_fills_its_fifo_waits_for_the_next_hub the_more_modules_the_smaller_their_fifos
A module whose definition changed meanwhile is ended, by pid and start time, and started again.
    a_changed_definition_is_not_adopted a_recycled_pid_in_the_ledger_is_left_alone hub_killed_at_random_instants
A hub that dies five times in five minutes starts no module until you ask for one.
    five_crashes_lead_to_it_and_each_verb_reports_it a_hub_that_keeps_dying_is_in_safe_mode_and_its_unit_active
`parachute stop` leaves no process of a module.
    an_ordered_end_of_the_hub_leaves_no_process a_stop_of_a_dead_hub_ends_its_modules
A `systemctl stop` of a unit that has failed, or that waits to be restarted, ends none; `status` and `doctor` name the modules
that run without a hub.
    a_hub_that_is_killed_leaves_the_pids_of_its_modules a_stop_of_a_dead_hub_ends_its_modules
The hub keeps the last lines of each module in memory and in rotated files, and streams them to `logs -f`.
    keeps_the_newest_whatever_its_length files_are_rotated_and_a_limited_number_is_kept
    a_follower_continues_across_restarts_of_module_and_hub
An existing home of the Parachute hub 0.6 (`services.json`, `module.json`, `.env`, ports) boots unchanged.
    a_home_of_the_original_hub_boots_and_its_services_json_stays_as_it_is
    the_env_file_counts_except_port_and_an_edit_applies_at_restart unknown_keys_and_kind_are_ignored
On macOS the hub is a launchd job; this is tested against a model of launchd and has not been run on a Mac.
    a_hub_is_installed_once_and_status_queries_launchd launchd_starts_a_killed_hub_again_and_status_counts_it
[docs/behaviour.md](docs/behaviour.md) says what happens in each case.
    every_link_of_the_documents_leads_to_a_file_and_a_heading

| `init [--dry-run] [--yes] [--scope user\|system] [--user U] [--port N] [--force] [--take-over]` | installs the hub as a unit
of systemd or launchd: shows the plan, asks, applies it and checks that the hub answers |
    a_user_installs_starts_again_and_uninstalls_without_a_trace a_hub_is_installed_once_and_status_queries_launchd
    root_installs_for_the_acting_user_and_never_implicitly_for_itself only_the_hub_that_the_manager_runs_is_healthy
| `uninstall [--dry-run] [--yes] [--purge] [--force] [--user U]` | undoes what `init` did; `--purge` deletes the home too, if
parachute made it |
    a_user_installs_starts_again_and_uninstalls_without_a_trace a_directory_that_was_never_a_home_is_never_deleted
| `serve [--port N] [--host H] [--demo]` | runs the hub in the foreground |
    stop_ends_a_foreground_hub_and_waits the_demo_is_added_and_removed_by_its_hub_and_survives_its_crash
| `serve --check [--json]` | says whether a hub could start here now, and what prevents it; changes nothing |
    a_fresh_home_is_ok_and_stays_unchanged beside_a_running_hub_it_fails_and_changes_nothing
    every_obstacle_is_named_with_a_command
| `status [--json]` | shows the hub, what its manager says of it, whether it starts at boot, and every module with its state,
pid, port and problem |
    status_as_json_is_the_wire_type_and_the_screen_has_every_module a_hub_is_installed_once_and_status_queries_launchd
    root_installs_for_the_acting_user_and_never_implicitly_for_itself reboot_and_logout_for_each_manager_with_the_reason
| `start NAME…`, `stop NAME…`, `restart NAME…`, `--all` | starts, stops or restarts modules and waits until that is done |
    with_a_hub_on_any_port_verbs_find_it_by_its_socket
| `stop NAME… --without-hub`, `--all` | ends modules that run on after their hub; refused while a hub runs |
    without_a_hub_a_module_that_runs_is_stopped_only_when_that_is_said
| `start`, `stop`, `restart` (or with `hub`) | starts, stops or restarts the hub and all its modules, through its manager where
it has one |
    a_stop_lasts_until_a_start_and_a_restart_gives_a_new_run stop_ends_a_foreground_hub_and_waits targets_of_a_verb
    without_a_session_the_bus_is_found_or_its_absence_explained
| `logs [NAME…] [-f] [-n N] [--since 10m]` | shows the last lines of modules, or follows them; reads the files when the hub is
down; `logs hub` shows the hub's own log |
    number_of_lines_and_since a_follower_continues_across_restarts_of_module_and_hub
    the_last_lines_before_a_crash_are_shown_with_the_hub_up_and_down_and_after_its_restart a_changed_unit_restarts_once
| `why NAME` | shows the last failure: cause, last lines, which process holds the port, what to type |
    why_reports_the_last_failure_with_the_hub_up_and_down why_names_the_signal_and_the_holder_of_the_port
| `doctor [--fix [--dry-run] [--yes]] [--json]` | checks the installation, the home and the modules; `--fix` shows the repairs,
asks and makes them |
    a_fresh_installation_is_ok_and_faults_are_repaired problems_on_disk_are_found_without_a_hub
    decisions_of_the_user_are_reported_and_not_made
| `add NAME [--port N] [--health PATH] [--env K=V] [--cwd DIR] [--no-listen] [--replace] -- CMD…` | makes a command a module and
starts it |
    an_added_command_runs_at_once_and_remove_stops_it_and_names_the_kept_files replace_takes_the_new_command_and_keeps_the_port
| `remove NAME [--purge] [--yes]` | stops a module and removes it; `--purge` deletes its environment and logs too |
    an_added_command_runs_at_once_and_remove_stops_it_and_names_the_kept_files purge_asks_first_and_then_deletes
| `migrate --list [--json]` | lists the daemons, files and archives of an older version |
    a_detached_home_is_cut_over_and_restored leftovers_are_moved_into_the_archive_of_the_day_and_restored_unchanged
| `migrate --to-supervised [--dry-run] [--yes] [--resume\|--rollback [--force]]` | stops the detached daemons of an older version
and starts the same modules under the hub; if a step fails, it starts the daemons again |
    a_detached_home_is_cut_over_and_restored a_step_that_fails_leaves_every_daemon_listening
    a_cutover_killed_at_any_step_is_finished_or_undone
| `migrate --teardown [--back-to-detached] [--yes]` | undoes `--to-supervised`; with `--back-to-detached` it starts the daemons
again |
    a_detached_home_is_cut_over_and_restored
| `migrate [--dry-run] [--yes]`, `migrate --unarchive DATE` | moves files of an older version into an archive in the home, and
back |
    leftovers_are_moved_into_the_archive_of_the_day_and_restored_unchanged
| `units list`, `units render NAME --target T [--user U] [--port N] [--bin PATH]` | prints the unit files; writes nothing |
    the_verb_lists_and_renders
| `units verify [--scope user\|system]` | has the manager's own checker read the unit that `init` would install |
    units_are_checked_by_the_managers_checker
| `completions SHELL`, `man` | prints shell completions and manual pages |
    wrong_usage_is_two_and_help_is_zero
Every verb takes `--home DIR`.
    every_verb_takes_a_home
Verbs find the hub by its socket, whatever its port is.
    with_a_hub_on_any_port_verbs_find_it_by_its_socket
A module is named by its short name (`vault`) or by its row in `services.json` (`parachute-vault`).
    targets_of_a_verb a_home_of_the_original_hub_boots_and_its_services_json_stays_as_it_is
An error ends with a `hint:`, the next command to type; an error about the command line names `--help`.
    every_error_has_a_next_command without_a_hub_every_verb_reports_that_with_its_own_code wrong_usage_is_two_and_help_is_zero

| 0 | done |
    wrong_usage_is_two_and_help_is_zero the_exit_codes_of_the_readme_are_those_of_the_program
| 1 | failed; `status`: a module crashed or is not ready in time, `services.json`, `hub.toml` or `hub.env` cannot be used, or
the hub is in safe mode; `doctor`: a check failed; `units verify`: the checker complains |
    status_as_json_is_the_wire_type_and_the_screen_has_every_module
    a_broken_services_json_is_reported_while_modules_keep_running
    a_typo_in_hub_toml_stops_no_module_and_is_reported_until_it_is_repaired
    a_refused_file_blocks_every_module_is_reported_by_each_verb_and_applies_once_repaired
    five_crashes_lead_to_it_and_each_verb_reports_it
    a_module_without_a_valid_definition_is_reported_with_a_hint problems_on_disk_are_found_without_a_hub
    units_are_checked_by_the_managers_checker
| 2 | the command line is wrong, or a question needs a terminal or `--yes` |
    wrong_usage_is_two_and_help_is_zero without_a_terminal_nothing_is_asked_and_the_error_names_the_flag
| 3 | `status`: the hub is not running; `migrate --teardown`: nothing is installed |
    without_a_hub_every_verb_reports_that_with_its_own_code a_detached_home_is_cut_over_and_restored
| 69 | no hub runs (`stop NAME`, `remove NAME`: and the module runs on without one), no service manager can be used, or (`units
verify`) no checker is there |
    without_a_hub_a_module_that_runs_is_stopped_only_when_that_is_said
    without_a_hub_every_verb_reports_that_with_its_own_code without_a_session_the_bus_is_found_or_its_absence_explained
    units_are_checked_by_the_managers_checker
| 78 | you must decide or repair something first: [docs/install.md](docs/install.md#what-init-refuses) lists the cases |
    every_obstacle_is_named_with_a_command a_second_hub_names_the_first_and_touches_nothing
    a_unit_that_was_edited_is_kept_unless_forced a_second_users_verbs_name_the_owner_and_change_nothing
    possible_failures_are_refused_before_anything_is_stopped a_login_directory_is_refused_by_any_name
| 130 | interrupted: SIGINT, or Ctrl-C or Ctrl-D at a question |
    ctrl_c_and_ctrl_d_are_no_answer a_cutover_interrupted_in_the_middle_is_undone
Under launchd `serve` exits 0 where it would exit 78 elsewhere, because launchd would start the hub again every ten seconds.
    a_hub_that_needs_the_user_exits_with_zero_under_launchd_and_with_78_elsewhere

The home is `--home`, else `$PARACHUTE_HOME`, else `~/.parachute`.
    order_of_the_sources_of_the_home
| `services.json` | one row a module; the hub notices an edit |
    added_and_removed_rows_are_noticed_without_a_restart
| `<installDir>/.parachute/module.json` | how a module is started and supervised: [docs/modules.md](docs/modules.md) |
    every_key_lands_in_the_policy module_json_comes_before_the_table
| `<short>/.env` | extra environment of one module; `add --env` writes it (0600) |
    the_env_file_counts_except_port_and_an_edit_applies_at_restart secrets_and_sockets_are_private
| `<short>/logs/<short>.log` | what the module wrote; `.1` to `.4` are older |
    files_are_rotated_and_a_limited_number_is_kept each_file_is_renamed_and_the_oldest_removed
| `<short>/run/last-failure.json` | what `why` shows |
    why_reports_the_last_failure_with_the_hub_up_and_down
| `hub.toml` | optional settings of the hub, its unit and its modules: [docs/modules.md](docs/modules.md#hubtoml) |
    known_tables_are_read_and_others_left_alone the_example_above_reads
| `hub.env` | optional environment of all modules of an installed hub, for secrets: [docs/hub-env.md](docs/hub-env.md) |
    a_hub_under_a_manager_reads_it_and_one_in_a_terminal_does_not
| `operator.token` | bearer token of the HTTP API (0600): [docs/api.md](docs/api.md) |
    authorisation_on_tcp secrets_and_sockets_are_private
| `hub/logs/hub.log` | what the hub wrote |
    a_changed_unit_restarts_once
| `run/` | control socket (0600), lock, list of running modules |
    secrets_and_sockets_are_private the_socket_and_the_port_file_exist_while_the_hub_runs
| `bin/parachute` | the program that your unit runs |
    new_directories_are_below_the_users_home_or_owned_by_root a_user_installs_starts_again_and_uninstalls_without_a_trace
| `install/` | journal, receipt (0600) and saved files of the installation |
    a_detached_home_is_cut_over_and_restored the_previous_content_is_kept_when_a_step_is_left
| `.parachute-home` | says whether parachute made this directory; `uninstall --purge` deletes no directory that parachute did not
make |
    a_directory_that_was_never_a_home_is_never_deleted only_a_marked_home_is_touched_and_it_is_deleted_completely
    only_a_directory_that_we_made_or_that_was_prepared_for_us_is_marked_as_made
A hub of the machine (`sudo parachute init`) has its program in `/usr/local/lib/parachute` and its receipt in
`/var/lib/parachute`.
    new_directories_are_below_the_users_home_or_owned_by_root a_take_over_names_what_stops_and_uninstall_restores_it
"#;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Each sentence of [`PROVEN`] with its tests.
fn proven() -> Vec<(String, Vec<String>)> {
    let mut rows: Vec<(String, Vec<String>)> = Vec::new();
    for line in PROVEN.lines().filter(|line| !line.is_empty()) {
        let words = line.split_whitespace();
        if line.starts_with("    ") {
            rows.last_mut().expect("a sentence comes first").1.extend(words.map(str::to_owned));
            continue;
        }
        match rows.last_mut().filter(|(_, tests)| tests.is_empty()) {
            Some((sentence, _)) => *sentence = format!("{sentence} {}", words.collect::<Vec<_>>().join(" ")),
            None => rows.push((words.collect::<Vec<_>>().join(" "), Vec::new())),
        }
    }
    rows
}

/// The sentences and rows of tables of a Markdown text, without code blocks, headings and sections of [`NO_BEHAVIOUR`].
fn statements(text: &str) -> Vec<String> {
    let (mut found, mut paragraph, mut in_code, mut counts) = (Vec::new(), String::new(), false, true);
    let lines: Vec<&str> = text.lines().collect();
    for (at, line) in lines.iter().enumerate() {
        let is_row = line.starts_with('|');
        let fence = line.starts_with("```");
        let text = line.strip_prefix("* ").unwrap_or(line);
        if fence || is_row || line.starts_with('#') || line.is_empty() || text.len() < line.len() {
            found.extend(sentences(&std::mem::take(&mut paragraph)));
        }
        if line.starts_with("## ") {
            counts = !NO_BEHAVIOUR.contains(line);
        }
        in_code ^= fence;
        if fence || in_code || !counts || line.starts_with('#') {
            continue;
        }
        let rule = |line: Option<&&str>| line.is_some_and(|line| line.starts_with("|---"));
        match is_row {
            true if rule(Some(line)) || rule(lines.get(at + 1)) => {}
            true => found.push((*line).to_owned()),
            false => paragraph = format!("{paragraph} {}", text.trim()).trim().to_owned(),
        }
    }
    found.extend(sentences(&paragraph));
    found
}

/// A sentence ends with `.`, `?` or `!`, and the next one begins with a capital letter, code or a link.
fn sentences(paragraph: &str) -> Vec<String> {
    let (mut found, mut from) = (Vec::new(), 0);
    for (at, _) in paragraph.match_indices(' ') {
        let in_code = paragraph[from..at].matches('`').count() % 2 == 1;
        let ends = !in_code && paragraph[..at].ends_with(['.', '?', '!']);
        let begins = paragraph[at + 1..].starts_with(|c: char| c.is_uppercase() || "`[*".contains(c));
        if ends && begins {
            found.push(paragraph[from..at].to_owned());
            from = at + 1;
        }
    }
    found.extend((from < paragraph.len()).then(|| paragraph[from..].to_owned()));
    found
}

/// Names of all tests: functions with `#[test]`, and the faults of `tests/faults/main.rs`.
fn tests() -> BTreeSet<String> {
    let (mut names, mut dirs) = (BTreeSet::new(), vec![root().join("src"), root().join("tests")]);
    while let Some(dir) = dirs.pop() {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                dirs.push(path);
            } else if path.extension().is_some_and(|ext| ext == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                let after = text.split("#[test]\n").skip(1).filter_map(|rest| rest.split_once("fn "));
                names.extend(after.filter_map(|(_, rest)| Some(rest.split_once('(')?.0.to_owned())));
            }
        }
    }
    let faults = std::fs::read_to_string(root().join("tests/faults/main.rs")).unwrap();
    names.extend(faults.split("    (\"").skip(1).filter_map(|rest| Some(rest.split_once('"')?.0.to_owned())));
    names
}

#[test]
fn every_statement_of_the_readme_has_a_test() {
    let told = statements(&std::fs::read_to_string(root().join("README.md")).unwrap());
    assert!(told.len() > 50, "{told:#?}");
    let proven: BTreeSet<String> = proven().into_iter().map(|(sentence, _)| sentence).collect();
    let missing: Vec<_> = told.iter().filter(|sentence| !proven.contains(*sentence)).collect();
    assert!(missing.is_empty(), "no test is named for {missing:#?}");
    let gone: Vec<_> = proven.iter().filter(|sentence| !told.contains(sentence)).collect();
    assert!(gone.is_empty(), "README.md does not say {gone:#?}");
}

#[test]
fn every_test_that_is_named_for_a_statement_exists() {
    let there = tests();
    assert!(there.len() > 300 && there.contains("hub_killed_at_random_instants"), "{}", there.len());
    for (sentence, named) in proven() {
        assert!(!named.is_empty(), "no test is named for {sentence:?}");
        let missing: Vec<_> = named.iter().filter(|name| !there.contains(*name)).collect();
        assert!(missing.is_empty(), "{sentence:?}: there is no test {missing:?}");
    }
}

#[test]
fn the_scanner_finds_sentences_bullets_and_rows() {
    let text = "# x\n\nOne `a. B`. Two\nlines: 0.6 too.\n\n* Three\n  of it.\n* Four.\n\n| h | h |\n|---|---|\n| r | s |\n\n\
                ```\nnot this.\n```\nFive:\n\n## Licence\n\nNot this.\n\n## Next\n\nSix.\n";
    let found = ["One `a. B`.", "Two lines: 0.6 too.", "Three of it.", "Four.", "| r | s |", "Five:", "Six."];
    assert_eq!(statements(text), found);
}
