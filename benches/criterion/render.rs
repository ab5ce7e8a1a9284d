//! The hub's unit: from its descriptor to the text that a manager reads.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion};
use parachute::unit::bind::Binding;
use parachute::unit::descriptor::Descriptor;
use parachute::unit::overrides::Overrides;
use parachute::unit::render::render;
use parachute::unit::target::Target;

pub(crate) fn all(criterion: &mut Criterion) {
    let descriptor = Descriptor::embedded("hub").expect("the hub has a descriptor");
    let (binding, overrides) = (binding(), Overrides::default());
    let unit = descriptor.bind(&binding, &overrides).expect("it fits");

    let mut group = criterion.benchmark_group("unit");
    group.bench_function("read", |bencher| bencher.iter(|| Descriptor::embedded(black_box("hub"))));
    group.bench_function("bind", |bencher| {
        bencher.iter(|| descriptor.bind(black_box(&binding), black_box(&overrides)));
    });
    for target in ["systemd-user", "systemd-system", "launchd-agent", "launchd-daemon"] {
        let parsed: Target = target.parse().expect("a target");
        group.bench_with_input(BenchmarkId::new("render", target), &parsed, |bencher, target| {
            bencher.iter(|| render(black_box(&unit), target).expect("it can be written down"));
        });
    }
    group.finish();
}

/// A home with characters that must be escaped, as users may have it.
fn binding() -> Binding {
    let home = std::path::Path::new("/home/op/my \"pará\" & 100% <chute>");
    Binding {
        bin: home.join("bin/parachute"),
        home: home.to_owned(),
        person: Some("op".to_owned()),
        person_home: Some("/home/op".into()),
        port: 1939,
        path: "/opt/node/bin:/home/op/.local/bin:/usr/local/bin:/usr/bin:/bin".into(),
        log_dir: home.join("hub/logs"),
    }
}
