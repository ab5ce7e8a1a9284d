//! From bytes to lines with heads: the work of `bench pump`, without threads, pipes and files.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput};
use parachute::logs::formatter::{Batch, Formatter};
use parachute::logs::line::{MAX_TEXT, Stream};
use parachute::module::name::Short;
use parachute::module::timestamp::Timestamp;

/// As many bytes as a pump reads at once.
const READ: usize = 256 * 1024;

/// Bytes per measurement of complete lines.
const MB: usize = 1_000_000;

/// A text of this many bytes without a newline.
const LONG: usize = 100 * MB;

pub(crate) fn all(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("lines");
    for len in [20, 100, 10_000] {
        let line = [vec![b'x'; len - 1], vec![b'\n']].concat();
        let input = line.repeat(MB / len);
        group.throughput(Throughput::Bytes(input.len() as u64));
        let id = BenchmarkId::from_parameter(format!("{len} bytes"));
        group.bench_with_input(id, &input, |bencher, input| {
            let mut batch = Batch::default();
            assert_eq!(lines_of(input.chunks(READ), &mut batch), (MB / len) as u64);
            bencher.iter(|| lines_of(input.chunks(READ), &mut batch));
        });
    }
    group.throughput(Throughput::Bytes(LONG as u64)).sample_size(10).measurement_time(Duration::from_secs(3));
    group.bench_function("one of 100 MB", |bencher| {
        let input = vec![b'x'; LONG];
        let mut batch = Batch::default();
        assert_eq!(lines_of(input.chunks(READ), &mut batch), LONG.div_ceil(MAX_TEXT) as u64);
        bencher.iter(|| lines_of(input.chunks(READ), &mut batch));
    });
    group.finish();
}

/// One stream from beginning to end, with one batch as in the pumps; returns the number of lines.
fn lines_of<'a>(reads: impl Iterator<Item = &'a [u8]>, batch: &mut Batch) -> u64 {
    let mut formatter = Formatter::new(&Short::new("vault").expect("a name"), Stream::Out);
    let mut lines = 0;
    for mut rest in reads {
        while !rest.is_empty() {
            let taken = formatter.feed(rest, Timestamp(1_772_359_449_120), batch);
            rest = &rest[taken..];
            lines += deliver(batch);
        }
    }
    formatter.finish(Timestamp(1_772_359_449_120), batch);
    lines + deliver(batch)
}

fn deliver(batch: &mut Batch) -> u64 {
    let lines = black_box(&*batch).lines;
    batch.clear();
    lines
}
