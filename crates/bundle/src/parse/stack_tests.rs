//! The stack that each construct needs, against the bound of [`crate::nesting`].

use std::path::Path;

use super::constructs::{CONSTRUCTS, Construct};
use super::{BASE, PER_UNIT, check, on_this_stack};
use crate::scan::source_type;
use crate::{declare, dynamic, nesting, scan, suspicious};

/// The largest `n` whose text is within the limit.
pub(crate) fn largest(construct: &Construct) -> usize {
    let (_, file, text) = construct;
    let language = source_type(Path::new(file));
    let fits = |n: usize| check(&nesting::measure(&text(n), language)).is_ok();
    let (mut low, mut high) = (1_usize, 200_000);
    while low + 1 < high {
        let middle = low.midpoint(high);
        if fits(middle) { low = middle } else { high = middle }
    }
    low
}

/// Bytes of the stack of a thread that `work` touched.
fn stack_of(work: impl FnOnce() + Send) -> usize {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(4 << 30);
        let measured = thread.spawn_scoped(scope, || {
            work();
            resident_stack()
        });
        measured.unwrap().join().unwrap()
    })
}

/// Bytes in memory of the mapping that this function's frame is in.
fn resident_stack() -> usize {
    let mark = 0_u8;
    let here = std::ptr::from_ref(std::hint::black_box(&mark)).addr();
    let maps = std::fs::read_to_string("/proc/self/smaps").unwrap();
    let mut inside = false;
    for line in maps.lines() {
        let mut words = line.split_whitespace();
        let first = words.next().unwrap();
        if let Some((from, to)) = first.split_once('-') {
            let address = |text| usize::from_str_radix(text, 16);
            inside = address(from).is_ok_and(|from| from <= here) && address(to).is_ok_and(|to| here < to);
        } else if inside && first == "Rss:" {
            return words.next().unwrap().parse::<usize>().unwrap() << 10;
        }
    }
    panic!("this thread has no stack")
}

fn parse_and_visit(source: &str, file: &str) {
    on_this_stack(source, source_type(Path::new(file)), |program, _| {
        drop(scan::collect(program));
        drop(declare::declared(program, source));
        drop(dynamic::find(program));
        drop(suspicious::find(program));
    });
}

/// Prints what each construct needs: `cargo test -p marsh-bundle --lib every_construct_fits -- --nocapture`.
#[test]
fn every_construct_fits_the_stack_that_is_computed_for_it() {
    for construct in CONSTRUCTS {
        let (name, file, text) = construct;
        // A thousand levels tell what each needs.
        for n in [1, 20, 200, largest(construct).min(1000)] {
            let source = text(n);
            let depth = nesting::measure(&source, source_type(Path::new(file))).depth;
            let (given, used) = (BASE + depth * PER_UNIT, stack_of(|| parse_and_visit(&source, file)));
            println!("{:6} bytes a unit, {:6} a level of {n}: {name}", used / depth.max(1), used / n);
            assert!(used * 2 <= given + BASE, "{name}, {n} levels: {used} of {given} bytes");
        }
    }
}
