use super::{Seat, Terms, gatherer::Gatherer, rows::Rows};
use crate::{
    Error, Result,
    runtime::{Description, Network, Tensor, Whom},
};
use std::{
    sync::{
        Arc, Barrier,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

const LONG: Duration = Duration::from_secs(5);
const SHORT: Duration = Duration::from_millis(20);

/// Doubles the first value of each picture; counts runs and the largest of them.
struct Doubling {
    about: Description,
    runs: AtomicUsize,
    largest: AtomicUsize,
    /// Pictures whose first value is this fail the run.
    refuses: Option<f32>,
    takes: Duration,
}

impl Network for Doubling {
    fn describe(&self) -> &Description {
        &self.about
    }
    fn run(&self, shape: &[usize], values: &[f32], outputs: &mut Vec<Tensor>) -> Result<()> {
        self.runs.fetch_add(1, Ordering::SeqCst);
        self.largest.fetch_max(shape[0], Ordering::SeqCst);
        thread::sleep(self.takes);
        let firsts = || values.chunks(values.len() / shape[0]).map(|picture| picture[0]);
        if firsts().any(|first| Some(first) == self.refuses) {
            return Err(Error::Inference { model: "doubling".into(), problem: "it refuses".into() });
        }
        outputs.resize_with(1, Tensor::default);
        let place = outputs[0].reshape(&[shape[0], 2]);
        for (row, first) in place.chunks_mut(2).zip(firsts()) {
            row.copy_from_slice(&[2.0 * first, first]);
        }
        Ok(())
    }
}

fn doubling(refuses: Option<f32>, takes: Duration) -> Arc<Doubling> {
    let about = Description {
        model: "doubling".into(),
        runtime: String::new(),
        device: "cpu".into(),
        precision: String::new(),
        inputs: Vec::new(),
        outputs: Vec::new(),
    };
    Arc::new(Doubling { about, runs: AtomicUsize::new(0), largest: AtomicUsize::new(0), refuses, takes })
}

fn seats(network: &Arc<Doubling>, count: usize, size: usize, patience: Duration) -> Vec<Seat> {
    let network: Arc<dyn Network> = Arc::clone(network) as Arc<dyn Network>;
    (0..count).map(|_| Seat::at(&network, size, patience)).collect()
}

/// Pictures of one channel of 1 x 2 values whose first values are `firsts`, and what came back for each.
fn ask(seat: &Seat, firsts: &[f32]) -> Result<Vec<f32>> {
    let values: Vec<f32> = firsts.iter().flat_map(|first| [*first, 0.5]).collect();
    let mut outputs = Vec::new();
    seat.run([firsts.len(), 1, 1, 2], &values, &mut outputs, Whom::Programme)?;
    assert_eq!(outputs[0].shape(), [firsts.len(), 2]);
    assert!(outputs[0].data().chunks(2).zip(firsts).all(|(row, first)| row[1] == *first), "in order");
    Ok(outputs[0].data().chunks(2).map(|row| row[0]).collect())
}

#[test]
fn pictures_of_three_callers_run_together_and_come_back_to_each() {
    let network = doubling(None, Duration::ZERO);
    let seats = seats(&network, 3, 4, LONG);
    let begun = Instant::now();
    thread::scope(|scope| {
        for (number, seat) in (0_u8..).zip(&seats) {
            scope.spawn(move || {
                for round in 0_u8..100 {
                    let first = f32::from(number) * 100.0 + f32::from(round);
                    assert_eq!(ask(seat, &[first]).unwrap(), [2.0 * first]);
                }
            });
        }
    });
    assert!(network.largest.load(Ordering::SeqCst) >= 2, "they did meet");
    assert!(network.largest.load(Ordering::SeqCst) <= 4);
    assert!(network.runs.load(Ordering::SeqCst) < 300);
    // Nobody sits out the patience of others who cannot come: all are here, or their threads have ended.
    assert!(begun.elapsed() < Duration::from_secs(60));
}

#[test]
fn a_batch_never_exceeds_what_any_of_its_callers_wants() {
    let network = doubling(None, Duration::from_millis(2));
    let (two, four) = (seats(&network, 2, 2, SHORT), seats(&network, 2, 4, SHORT));
    thread::scope(|scope| {
        for seat in two.iter().chain(&four) {
            scope.spawn(move || (0..20).for_each(|_| assert_eq!(ask(seat, &[1.0]).unwrap(), [2.0])));
        }
    });
    assert!(network.largest.load(Ordering::SeqCst) <= 4);
    thread::scope(|scope| {
        scope.spawn(|| assert_eq!(ask(&four[0], &[1.0, 2.0, 3.0]).unwrap(), [2.0, 4.0, 6.0]));
        scope.spawn(|| assert_eq!(ask(&four[1], &[7.0, 8.0]).unwrap(), [14.0, 16.0]));
    });
    assert!(network.largest.load(Ordering::SeqCst) <= 4, "three and two pictures are not one batch of four");
}

#[test]
fn whoever_is_alone_waits_no_longer_than_the_timeout_and_alone_at_the_table_not_at_all() {
    let network = doubling(None, Duration::ZERO);
    let mut two = seats(&network, 2, 4, SHORT);
    let begun = Instant::now();
    assert_eq!(ask(&two[0], &[3.0]).unwrap(), [6.0]);
    assert!(begun.elapsed() >= SHORT, "the other one might have come");
    two.pop();
    let alone = seats(&doubling(None, Duration::ZERO), 1, 4, LONG);
    let begun = Instant::now();
    for _ in 0..20 {
        ask(&alone[0], &[3.0]).unwrap();
    }
    assert!(begun.elapsed() < LONG, "twenty times fifty milliseconds would be no sooner than this");
    assert_eq!(network.largest.load(Ordering::SeqCst), 1);
}

#[test]
fn a_seat_that_is_given_up_is_not_waited_for() {
    let network = doubling(None, Duration::ZERO);
    let mut two = seats(&network, 2, 2, LONG);
    let other = two.pop().unwrap();
    thread::scope(|scope| {
        let asked = scope.spawn(|| ask(&two[0], &[1.0]));
        thread::sleep(Duration::from_millis(5));
        drop(other);
        assert_eq!(asked.join().unwrap().unwrap(), [2.0]);
    });
}

#[test]
fn a_batch_that_fails_tells_everybody_in_it_and_nobody_else() {
    let network = doubling(Some(13.0), Duration::ZERO);
    let seats = seats(&network, 3, 3, LONG);
    let together = Barrier::new(3);
    for _ in 0..20 {
        let failed = thread::scope(|scope| {
            let ask = |seat, first| {
                let together = &together;
                move || {
                    together.wait();
                    ask(seat, &[first])
                }
            };
            let threads =
                [(0, 1.0), (1, 13.0), (2, 2.0)].map(|(i, first)| scope.spawn(ask(&seats[i], first)));
            threads.map(|thread| thread.join().unwrap())
        });
        assert!(failed[1].is_err());
        for error in failed.iter().filter_map(|outcome| outcome.as_ref().err()) {
            assert_eq!(error.to_string(), "model \"doubling\" failed to run: it refuses");
        }
        assert_eq!(ask(&seats[0], &[1.0]).unwrap(), [2.0], "the next batch is another one");
    }
}

#[test]
fn pictures_of_other_shapes_do_not_meet_and_nobody_starves() {
    let network = doubling(None, Duration::from_millis(1));
    let seats = seats(&network, 4, 4, SHORT);
    thread::scope(|scope| {
        for (number, seat) in seats.iter().enumerate() {
            scope.spawn(move || {
                for round in 0..30 {
                    // A first pass and a second one, out of step with one another.
                    let width = if (round + number) % 2 == 0 { 2 } else { 3 };
                    let mut outputs = Vec::new();
                    let values = vec![1.0; width];
                    seat.run([1, 1, 1, width], &values, &mut outputs, Whom::Programme).unwrap();
                    assert_eq!(outputs[0].data(), [2.0, 1.0]);
                }
            });
        }
    });
}

#[test]
fn a_leader_that_panics_takes_nobody_with_it() {
    let gatherer = Gatherer::<Rows>::default();
    let terms = Terms { size: 2, patience: SHORT };
    (0..2).for_each(|_| gatherer.sit_down());
    let run = |panics: bool| {
        let lead = move |_: &mut Rows, _| if panics { panic!("a defect in a library") } else { Ok(()) };
        gatherer.run([1, 1, 1], 1, terms, |rows| rows.put(&[1.0]), lead, |_, _| Ok(()))
    };
    thread::scope(|scope| {
        let leader = scope.spawn(|| run(true));
        let follower = scope.spawn(|| {
            thread::sleep(Duration::from_millis(2));
            run(true)
        });
        let outcomes = [leader.join(), follower.join()];
        // If they met, the follower is told; if not, both have led and both have died of it.
        assert!(outcomes.iter().any(Result::is_err));
        assert!(outcomes.into_iter().flatten().all(|outcome| outcome.is_err()));
    });
    assert!(run(false).is_ok(), "the next one is served");
}
