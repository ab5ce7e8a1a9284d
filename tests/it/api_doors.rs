//! Authorisation on TCP. On the control socket every client that can connect is the operator.

use crate::support::http::{self, Answer};
use crate::support::world::World;

fn ask(world: &World, method: &str, target: &str, headers: &[(&str, &str)]) -> Answer {
    http::tcp(world.port(), method, target, headers).expect("the hub answers on TCP")
}

#[test]
fn authorisation_on_tcp() {
    let world = World::new();
    world.start_hub();
    let right = format!("Bearer {}", world.read("operator.token").trim());
    let host = format!("127.0.0.1:{}", world.port());
    let local = ("host", host.as_str());
    let foreign = ("host", "evil.example");
    let proxied = ("x-forwarded-for", "10.0.0.1");
    let (right, wrong) = (("authorization", right.as_str()), ("authorization", "Bearer 0123456789abcdef"));
    // Headers, then the status of a private and of a public route.
    type Row<'a> = (&'a str, Vec<(&'a str, &'a str)>, u16, u16);
    let rows: Vec<Row<'_>> = vec![
        ("nothing special", vec![local], 401, 200),
        ("localhost by name", vec![("host", "localhost")], 401, 200),
        ("the token", vec![local, right], 200, 200),
        ("another token", vec![local, wrong], 401, 200),
        ("a page of another site", vec![foreign], 403, 403),
        ("a rebound name", vec![("host", "127.0.0.1.evil.example")], 403, 403),
        ("a proxy", vec![local, proxied], 403, 403),
        ("a proxy without a value", vec![local, ("x-forwarded-for", "")], 403, 403),
        ("a proxy with the token", vec![local, proxied, right], 200, 200),
        ("another host with the token", vec![foreign, right], 200, 200),
        ("another host with another token", vec![foreign, wrong], 401, 403),
        ("a basic login", vec![local, ("authorization", "Basic YTpi")], 401, 200),
    ];
    for (what, headers, private, public) in rows {
        for target in ["/api/status", "/api/modules", "/api/events", "/metrics", "/api/modules/x/logs"] {
            if private == 200 && ["/api/events", "/api/modules/x/logs"].contains(&target) {
                continue;
            }
            let answer = ask(&world, "GET", target, &headers);
            assert_eq!(answer.status, private, "{what}, {target}: {answer:?}");
        }
        for target in ["/health", "/api/ready"] {
            let answer = ask(&world, "GET", target, &headers);
            assert_eq!(answer.status, public, "{what}, {target}: {answer:?}");
        }
    }
    world.stop_hub();
}

#[test]
fn a_refusal_names_its_kind_and_what_helps() {
    let world = World::new();
    world.module("web", &[]);
    world.start_hub();
    let pid = world.ready("web");
    let none = ask(&world, "POST", "/api/modules/web/stop", &[("host", "localhost")]);
    assert_eq!((none.status, none.json()["error"].as_str()), (401, Some("unauthenticated")));
    assert!(none.head.contains("www-authenticate: bearer"), "{none:?}");
    let foreign = ask(&world, "POST", "/api/modules/web/stop", &[("host", "evil.example")]);
    assert_eq!((foreign.status, foreign.json()["error"].as_str()), (403, Some("forbidden")));
    assert_eq!(world.ready("web"), pid, "neither had an effect");
    let token = format!("Bearer {}", world.read("operator.token").trim());
    assert!(!none.body.contains(token.trim_start_matches("Bearer ")), "the token itself is not shown");
    let done =
        ask(&world, "POST", "/api/modules/web/stop", &[("host", "localhost"), ("authorization", &token)]);
    assert_eq!(done.json()["stopped"], true);
    world.stop_hub();
}

#[test]
fn a_wrong_method_is_reported_before_authorisation() {
    let world = World::new();
    world.start_hub();
    let answer = ask(&world, "GET", "/api/modules/web/start", &[("host", "localhost")]);
    assert_eq!((answer.status, answer.json()["error"].as_str()), (405, Some("method_not_allowed")));
    assert!(answer.head.contains("\nallow: post"), "{answer:?}");
    world.stop_hub();
}

#[test]
fn the_hub_itself_is_stopped_through_the_socket_only() {
    let world = World::new();
    world.start_hub();
    let token = format!("Bearer {}", world.read("operator.token").trim());
    let answer = ask(&world, "POST", "/api/hub/stop", &[("host", "localhost"), ("authorization", &token)]);
    assert_eq!(answer.status, 403, "{answer:?}");
    assert_eq!(world.post("/api/hub/stop").unwrap().status, 202);
    assert_eq!(world.hub_ends().code(), Some(0));
    assert!(!world.socket().exists());
}
