//! PyTorch checkpoints of the original pix2pix code: read without running anything, and computing what PyTorch computed.
#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

use std::collections::BTreeMap;
use std::io::{Cursor, Write as _};

use candle_core::{Device, Tensor};
use ct2rgb::model::checkpoint::{HostTensor, StateDict, state_dict_from_bytes};
use ct2rgb::model::{
    CheckpointError, Generator, GeneratorWeights, ImportError, ImportOptions, NormMode, PickleError, Precision, Seed,
    WeightsSource, from_state_dict, import_pix2pix,
};
use safetensors::SafeTensors;
use zip::write::SimpleFileOptions;

const ZIP: &[u8] = include_bytes!("fixtures/pix2pix_zip.pth");
const OLD: &[u8] = include_bytes!("fixtures/pix2pix_old.pth");
const ANSWERS: &[u8] = include_bytes!("fixtures/pix2pix_answers.safetensors");

fn answers(name: &str) -> Vec<f32> {
    let file = SafeTensors::deserialize(ANSWERS).unwrap();
    let bytes = file.tensor(name).unwrap().data();
    bytes.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect()
}

fn ct() -> Tensor {
    let file = SafeTensors::deserialize(ANSWERS).unwrap();
    let values = file.tensor("ct").unwrap().data().iter().map(|&b| f32::from(b.cast_signed()) / 127.0);
    Tensor::from_vec(values.collect::<Vec<_>>(), (1, 3, 256, 256), &Device::Cpu).unwrap()
}

/// Every 8th row and column of the generator's answer.
fn sampled(weights: &GeneratorWeights) -> Vec<f32> {
    let rgb = weights.generator(&Device::Cpu).unwrap().forward(&ct()).unwrap();
    let values = rgb.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    let at = |channel: usize, row: usize, column: usize| values[(channel * 256 + row * 8) * 256 + column * 8];
    (0..3)
        .flat_map(|c| (0..32).flat_map(move |r| (0..32).map(move |x| (c, r, x))))
        .map(|(c, r, x)| at(c, r, x))
        .collect()
}

fn largest_difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len(), "as many values");
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

fn state() -> StateDict {
    state_dict_from_bytes(ZIP).unwrap()
}

fn message(state: StateDict) -> String {
    from_state_dict(state, &ImportOptions::default()).unwrap_err().to_string()
}

#[test]
fn both_formats_compute_what_pytorch_computed() {
    assert_eq!(state(), state_dict_from_bytes(OLD).unwrap(), "the same tensors in both formats");
    for (norm, name) in [(NormMode::Running, "running"), (NormMode::Picture, "picture")] {
        let weights = from_state_dict(state(), &ImportOptions { norm, ..ImportOptions::default() }).unwrap();
        let difference = largest_difference(&sampled(&weights), &answers(name));
        // Measured 1e-6; without swapping the halves of up.0 … 6 it is about 1.
        assert!(difference < 2e-5, "{name}: largest difference {difference}");
    }
}

#[test]
fn one_step_in_training_moves_the_running_statistics_as_in_pytorch() {
    let weights = from_state_dict(state(), &ImportOptions::default()).unwrap();
    let parameters = weights.parameters.to_variables().unwrap();
    let generator = Generator::new(weights.config, parameters.clone()).unwrap();
    generator.forward_train(&ct(), &mut Seed(1).stream("dropout")).unwrap();
    for part in ["running_mean", "running_var"] {
        let moved = parameters.get(&format!("down.6.norm.{part}")).unwrap().to_vec1::<f32>().unwrap();
        // Measured 2e-7; the biased instead of the unbiased variance of these 2×2 values differs by 0.1.
        let difference = largest_difference(&moved, &answers(part));
        assert!(difference < 1e-5, "{part}: largest difference {difference}");
    }
}

#[test]
fn an_imported_checkpoint_is_written_and_read_as_our_own() {
    let folder = tempfile::tempdir().unwrap();
    let (checkpoint, path) = (folder.path().join("latest_net_G.pth"), folder.path().join("ours.safetensors"));
    std::fs::write(&checkpoint, OLD).unwrap();
    let options = ImportOptions { norm: NormMode::Picture, ..ImportOptions::default() };
    let imported = import_pix2pix(&checkpoint, &options).unwrap();
    assert_eq!((imported.card.name.as_str(), imported.card.base_channels), ("latest_net_G", Some(2)), "card");
    imported.write(&path, Precision::F16).unwrap();
    let read = GeneratorWeights::read(&WeightsSource::File(path)).unwrap();
    assert_eq!(sampled(&read), sampled(&imported), "halves in, halves out: the same answer");
}

#[test]
fn networks_of_another_structure_are_named() {
    let with = |change: &dyn Fn(&mut StateDict)| {
        let mut state = state();
        change(&mut state);
        message(state)
    };
    let tensor = |shape: &[usize]| HostTensor { shape: shape.to_vec(), values: vec![0.5; shape.iter().product()] };
    let instance = with(&|s| {
        s.insert("model.model.1.model.1.bias".into(), tensor(&[4]));
    });
    assert!(instance.contains("--norm instance"), "{instance}");
    let resnet = message(BTreeMap::from([("model.1.weight".into(), tensor(&[64, 3, 7, 7]))]));
    assert!(resnet.contains("expected a pix2pix generator unet_256 with batch norm, found 1 tensors"), "{resnet}");
    let deepest = format!("model.model.1.model{}.1.weight", ".3.model".repeat(6));
    let shallow = with(&|s| drop(s.remove(&deepest)));
    assert!(shallow.ends_with("found a U-Net of 7 levels, not 8"), "{shallow}");
    let missing = with(&|s| drop(s.remove("model.model.3.bias")));
    assert!(missing.ends_with("a U-Net without the tensor model.model.3.bias"), "{missing}");
    let more = with(&|s| drop(s.insert("model.attention".into(), tensor(&[1]))));
    assert!(more.contains("tensors that it does not have (1, first model.attention)"), "{more}");
    let channels = with(&|s| drop(s.insert("model.model.0.weight".into(), tensor(&[2, 9, 4, 4]))));
    assert!(channels.contains("takes 9 input channels"), "{channels}");
    let shape = from_state_dict(
        {
            let mut s = state();
            s.insert("model.model.3.weight".into(), tensor(&[4, 1, 4, 4]));
            s
        },
        &ImportOptions::default(),
    );
    let source = std::error::Error::source(&shape.unwrap_err()).unwrap().to_string();
    assert_eq!(source, "tensor up.0.conv.weight: expected shape [4, 3, 4, 4], found [4, 1, 4, 4]", "shape");
}

#[test]
fn a_network_trained_on_several_gpus_is_the_same_network() {
    let wrapped = state().into_iter().map(|(name, tensor)| (format!("module.{name}"), tensor)).collect();
    let weights = from_state_dict(wrapped, &ImportOptions::default()).unwrap();
    assert!(largest_difference(&sampled(&weights), &answers("running")) < 2e-5, "the same answer");
}

/// A checkpoint of the ZIP kind with this pickle and one storage.
fn archive(pickle: &[u8], storage: &[u8], method: zip::CompressionMethod) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in [("a/data.pkl", pickle), ("a/data/0", storage)] {
        writer.start_file(name, SimpleFileOptions::default().compression_method(method)).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// `{"w": tensor of one axis in a storage of `count` floats}`.
fn pickle_of_one_tensor(count: u32, shape: u32) -> Vec<u8> {
    let mut pickle =
        b"\x80\x02}X\x01\0\0\0wctorch._utils\n_rebuild_tensor_v2\n((X\x07\0\0\0storagectorch\nFloatStorage\n".to_vec();
    pickle.extend(b"X\x01\0\0\x000X\x03\0\0\0cpuJ");
    pickle.extend(count.to_le_bytes());
    pickle.extend(b"tQK\0J");
    pickle.extend(shape.to_le_bytes());
    pickle.extend(b"\x85K\x01\x85\x89N");
    pickle.extend(b"tRs.");
    pickle
}

#[test]
fn a_pickle_with_code_in_it_is_refused_and_never_run() {
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("ran");
    let command = format!("touch {}", trace.display());
    let mut pickle = b"\x80\x02cposix\nsystem\nX".to_vec();
    pickle.extend((command.len() as u32).to_le_bytes());
    pickle.extend(command.as_bytes());
    pickle.extend(b"\x85R.");
    for bytes in [archive(&pickle, b"", zip::CompressionMethod::Stored), pickle.clone()] {
        let error = state_dict_from_bytes(&bytes).unwrap_err();
        assert!(
            matches!(&error, CheckpointError::Pickle(PickleError::Forbidden { name }) if name == "posix.system"),
            "{error}"
        );
        assert!(error.to_string().contains("nothing was run"), "{error}");
    }
    assert!(!trace.exists(), "nothing ran");
    let checkpoint = folder.path().join("evil.pth");
    std::fs::write(&checkpoint, archive(&pickle, b"", zip::CompressionMethod::Stored)).unwrap();
    let error = import_pix2pix(&checkpoint, &ImportOptions::default()).unwrap_err();
    assert!(matches!(error, ImportError::Checkpoint { .. }), "{error}");
}

#[test]
fn names_hidden_from_a_text_search_are_refused_too() {
    for (name, pickle) in [
        ("builtins.eval", b"\x80\x04\x8c\x08builtins\x8c\x04eval\x93X\x01\0\0\x001\x85R.".as_slice()),
        ("torch.load", b"\x80\x02ctorch\nload\n)R."),
        ("os.system", b"cos\nsystem\n(X\x02\0\0\0lstR."),
    ] {
        let error = state_dict_from_bytes(&archive(pickle, b"", zip::CompressionMethod::Stored)).unwrap_err();
        assert!(matches!(&error, CheckpointError::Pickle(PickleError::Forbidden { name: n }) if n == name), "{error}");
    }
    for opcode in [b'i', b'o', 0x81, 0x92, b'P', 0x82] {
        let pickle = [0x80, 2, b'(', opcode, b'.'];
        let error = state_dict_from_bytes(&archive(&pickle, b"", zip::CompressionMethod::Stored)).unwrap_err();
        let is_named =
            matches!(&error, CheckpointError::Pickle(PickleError::Instruction { opcode: o, .. }) if *o == opcode);
        assert!(is_named, "{opcode:#x}: {error}");
    }
}

#[test]
fn absurd_sizes_are_refused_before_allocating() {
    let stored = zip::CompressionMethod::Stored;
    let small = [0u8; 16];
    assert_eq!(
        state_dict_from_bytes(&archive(&pickle_of_one_tensor(4, 4), &small, stored)).unwrap()["w"].values,
        [0.0; 4],
        "a right one"
    );
    let error = |count, shape| {
        state_dict_from_bytes(&archive(&pickle_of_one_tensor(count, shape), &small, stored)).unwrap_err()
    };
    assert!(matches!(error(2_000_000_000, 4), CheckpointError::Storage { .. }), "a storage of 8 GB");
    assert!(matches!(error(4, 2_000_000_000), CheckpointError::OutOfBounds { .. }), "a tensor of 8 GB");
    assert!(matches!(error(4, 5), CheckpointError::OutOfBounds { .. }), "one number too many");
    let bomb = archive(&pickle_of_one_tensor(1 << 20, 4), &vec![0; 4 << 20], zip::CompressionMethod::Deflated);
    assert!(matches!(state_dict_from_bytes(&bomb).unwrap_err(), CheckpointError::Compressed { .. }), "a ZIP bomb");
    let nested = [b"\x80\x02)".as_slice(), &vec![0x85; 1_000_000], b"."].concat();
    assert!(
        matches!(state_dict_from_bytes(&archive(&nested, b"", stored)).unwrap_err(), CheckpointError::NoStateDict),
        "a million tuples, each in the next"
    );
    let endless = archive(&vec![b'N'; 3 << 20], b"", stored);
    assert!(
        matches!(state_dict_from_bytes(&endless).unwrap_err(), CheckpointError::Pickle(PickleError::TooLong)),
        "3 MiB of nothing"
    );
}

#[test]
fn cut_and_flipped_checkpoints_end_in_an_error_or_in_tensors() {
    for bytes in [ZIP, OLD] {
        for step in 0..400 {
            let length = bytes.len() * step / 400;
            assert!(state_dict_from_bytes(&bytes[..length]).is_err(), "cut after {length} bytes");
        }
        for step in 0..1500 {
            let mut flipped = bytes.to_vec();
            // Most of the file is numbers: look at the pickle and, in a ZIP, at the directory.
            let position = if step % 2 == 0 { step * 8 % 12_000 } else { bytes.len() - 1 - step * 6 % 9000 };
            flipped[position] ^= 1 << (step % 8);
            if let Ok(state) = state_dict_from_bytes(&flipped) {
                drop(from_state_dict(state, &ImportOptions::default()));
            }
        }
    }
}

#[test]
fn other_files_are_no_checkpoints() {
    let folder = tempfile::tempdir().unwrap();
    let error = import_pix2pix(folder.path(), &ImportOptions::default()).unwrap_err();
    assert!(
        matches!(error, ImportError::Checkpoint { ref source, .. } if matches!(**source, CheckpointError::NotAFile)),
        "{error}"
    );
    assert!(matches!(state_dict_from_bytes(b"%PDF-1.4"), Err(CheckpointError::NotACheckpoint)), "a PDF");
    assert!(matches!(state_dict_from_bytes(b""), Err(CheckpointError::NotACheckpoint)), "nothing");
    let empty = archive(b"\x80\x02}.", b"", zip::CompressionMethod::Stored);
    assert!(matches!(state_dict_from_bytes(&empty), Err(CheckpointError::NoStateDict)), "no tensors");
}
