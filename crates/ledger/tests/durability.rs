//! A record that was flushed survives the process being killed.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::{WAIT, gate};
use facialads_ledger::{ChainState, Ledger, verify_chain};
use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};

const CHILD: &str = "FACIALADS_TEST_LEDGER_TO_DIE_WITH";

/// Not a test of its own: the process that is killed below.
#[test]
fn child_that_is_killed() {
    let Some(path) = std::env::var_os(CHILD) else { return };
    let ledger = Ledger::shared(path.as_ref());
    for epoch in 0.. {
        assert!(ledger.record(gate(epoch)) && ledger.flush(WAIT));
        println!("FLUSHED {epoch}");
    }
}

#[test]
fn what_was_flushed_is_there_after_kill_9() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child_that_is_killed", "--nocapture"])
        .env(CHILD, &path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut flushed = lines.by_ref().filter(|line| line.contains("FLUSHED")).take(25).count() as u64;
    child.kill().unwrap();
    child.wait().unwrap();
    flushed += lines.filter(|line| line.contains("FLUSHED")).count() as u64;

    assert!(flushed >= 25);
    let ChainState::Whole { rows, .. } = verify_chain(&path).unwrap() else { panic!("the chain is broken") };
    // One more may have been written whose line was not.
    assert!(rows == flushed || rows == flushed + 1, "{rows} rows, {flushed} flushed");
    let ledger = Ledger::shared(&path);
    assert!(ledger.record(gate(0)) && ledger.flush(WAIT), "the next run goes on where this one was cut off");
}
