//! The program itself, killed and interrupted in the middle of a training.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test may end where a step fails")]

#[expect(dead_code, reason = "shared with another test, which uses the rest")]
mod pairs;

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use ct2rgb::training::{TrainConfig, checkpoint};
use pairs::{tiny, write_pairs};

fn train(folder: &Path, run: &str, arguments: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ct2rgb"));
    command.args(["train", "--device", "cpu", "--pairs"]).arg(folder.join("pairs.csv"));
    command.arg("--out").arg(folder.join(run)).args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

/// Reads what the program says until it says `words`; the reader must live as long as the program should.
fn wait_for(child: &mut Child, words: &str) -> BufReader<std::process::ChildStderr> {
    let mut reader = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains(words) {
        line.clear();
        assert!(reader.read_line(&mut line).unwrap() > 0, "the program ended before it said {words:?}");
    }
    reader
}

fn settings(folder: &Path) -> String {
    let config = TrainConfig { max_steps: 8, checkpoint_every: 2, measure_every: 1000, ..tiny() };
    let path = folder.join("settings.json");
    std::fs::write(&path, serde_json::to_string(&config).unwrap()).unwrap();
    path.to_str().unwrap().to_owned()
}

fn bytes(folder: &Path, run: &str) -> Vec<u8> {
    std::fs::read(folder.join(run).join("checkpoint.safetensors")).unwrap()
}

#[test]
fn a_killed_run_goes_on_from_a_whole_checkpoint_and_ends_as_if_nothing_had_happened() {
    let folder = tempfile::tempdir().unwrap();
    write_pairs(folder.path());
    let settings = settings(folder.path());
    let whole = train(folder.path(), "whole", &["--settings", &settings]).wait_with_output().unwrap();
    assert!(whole.status.success(), "{}", String::from_utf8_lossy(&whole.stderr));

    let mut killed = train(folder.path(), "killed", &["--settings", &settings]);
    let reader = wait_for(&mut killed, "saved at step 4");
    killed.kill().unwrap();
    killed.wait().unwrap();
    drop(reader);
    let path = folder.path().join("killed/checkpoint.safetensors");
    assert!(checkpoint::saved_config(&path).is_ok(), "the checkpoint is whole");
    // What a kill in the middle of writing leaves.
    let unfinished = folder.path().join("killed/.ct2rgb-a1B2c3.part");
    std::fs::write(&unfinished, b"half").unwrap();

    let resumed = train(folder.path(), "killed", &["--resume"]).wait_with_output().unwrap();
    assert!(resumed.status.success(), "{}", String::from_utf8_lossy(&resumed.stderr));
    assert!(bytes(folder.path(), "killed") == bytes(folder.path(), "whole"), "the same state, to the last bit");
    assert!(!unfinished.exists(), "the unfinished file is gone");
}

#[test]
fn ctrl_c_saves_and_ends() {
    let folder = tempfile::tempdir().unwrap();
    write_pairs(folder.path());
    let settings = settings(folder.path());
    let mut child = train(folder.path(), "run", &["--settings", &settings, "--max-steps", "100000"]);
    let mut reader = wait_for(&mut child, "saved at step 2");
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(sent.success(), "the signal is sent");
    let rest = std::iter::from_fn(|| {
        let mut line = String::new();
        (reader.read_line(&mut line).unwrap() > 0).then_some(line)
    });
    let rest: String = rest.collect();
    assert_eq!(child.wait().unwrap().code(), Some(130), "as a shell reports it: {rest}");
    assert!(rest.contains("stopped") && rest.contains("--resume"), "{rest}");
}
