//! The arrows of the picture in `src/lib.rs`, held by reading the source: nothing climbs, siblings do not see each other, and
//! libraries that belong to one layer stay in it.

#![expect(clippy::unwrap_used, reason = "clippy spares tests, and not the functions that they share")]

use std::path::{Path, PathBuf};

/// Each layer, and what it may use besides itself. `main.rs` may use `cli` and `ui`.
const LAYERS: [(&str, &[&str]); 9] = [
    ("units", &[]),
    ("volume", &["units"]),
    ("preprocess", &["volume", "units"]),
    ("io", &["volume", "units"]),
    ("model", &["preprocess", "volume", "units"]),
    ("training", &["model", "preprocess", "io", "volume", "units"]),
    ("engine", &["training", "model", "preprocess", "io", "volume", "units"]),
    ("ui", &["engine", "training", "model", "preprocess", "io", "volume", "units"]),
    ("cli", &["engine", "training", "model", "preprocess", "io", "volume", "units"]),
];

/// Words in code that belong to some layers alone.
const HOMES: [(&[&str], &[&str]); 4] = [
    (&["egui", "eframe", "wgpu", "egui_plot", "egui_wgpu", "rfd", "winit"], &["ui"]),
    (&["candle_core", "candle_nn"], &["model", "training"]),
    (&["dicom_core", "dicom_object", "dicom_dictionary_std", "dicom_transfer_syntax_registry"], &["io"]),
    (&["println", "eprintln", "print", "eprint", "dbg"], &["cli"]),
];

/// A source file: its path below `src/`, its layer, and its code without comments and texts.
struct Source {
    name: String,
    layer: String,
    code: String,
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn files_below(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files_below(&path, files);
        } else {
            files.push(path);
        }
    }
}

fn sources() -> Vec<Source> {
    let folder = root().join("src");
    let mut files = Vec::new();
    files_below(&folder, &mut files);
    files.retain(|path| path.extension().is_some_and(|extension| extension == "rs"));
    files.sort();
    let source = |path: &PathBuf| {
        let name = path.strip_prefix(&folder).unwrap().to_string_lossy().replace('\\', "/");
        let layer = name.split('/').next().unwrap_or_default().trim_end_matches(".rs").to_owned();
        Source { name, layer, code: code_of(&std::fs::read_to_string(path).unwrap()) }
    };
    files.iter().map(source).collect()
}

/// The text with comments, strings and characters blanked, line by line where it was.
fn code_of(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |end| end + 2),
            '"' => end_of_string(rest),
            'r' if rest.starts_with("r\"") || rest.starts_with("r#") => end_of_raw_string(rest),
            '\'' => end_of_character(rest),
            _ => 0,
        };
        if length == 0 {
            code.push(first);
            rest = &rest[first.len_utf8()..];
        } else {
            code.extend(rest[..length].chars().filter(|c| *c == '\n'));
            code.push(' ');
            rest = &rest[length..];
        }
    }
    code
}

fn end_of_string(text: &str) -> usize {
    let mut is_escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// 0 for a raw identifier (`r#type`).
fn end_of_raw_string(text: &str) -> usize {
    let hashes = text[1..].bytes().take_while(|b| *b == b'#').count();
    let Some(content) = text[1 + hashes..].strip_prefix('"') else { return 0 };
    let end = format!("\"{}", "#".repeat(hashes));
    content.find(&end).map_or(text.len(), |at| 2 + hashes + at + end.len())
}

/// 0 for a lifetime.
fn end_of_character(text: &str) -> usize {
    let mut chars = text.char_indices().skip(1);
    match (chars.next(), chars.next()) {
        (Some((_, '\\')), _) => text[2..].char_indices().skip(1).find(|(_, c)| *c == '\'').map_or(0, |(at, _)| at + 3),
        (Some(_), Some((at, '\''))) => at + 1,
        _ => 0,
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Words of the code, with what stands before and after each.
fn words(code: &str) -> impl Iterator<Item = (&str, &str, &str)> {
    let starts = code.char_indices().scan(' ', |before, (at, c)| {
        let is_start = is_word(c) && !is_word(*before);
        *before = c;
        Some((at, is_start))
    });
    starts.filter(|(_, is_start)| *is_start).map(move |(at, _)| {
        let end = code[at..].find(|c| !is_word(c)).map_or(code.len(), |length| at + length);
        (&code[..at], &code[at..end], &code[end..])
    })
}

/// The line on which what follows `before` stands.
fn line_after(before: &str) -> usize {
    before.matches('\n').count() + 1
}

/// First names of the paths that `prefix` (`crate`, `ct2rgb`, `super`) leads to, with their lines.
fn names_after<'a>(code: &'a str, prefix: &'a str) -> Vec<(usize, &'a str)> {
    let mut names = Vec::new();
    for (before, word, after) in words(code) {
        let Some(path) = after.strip_prefix("::").filter(|_| word == prefix) else { continue };
        let line = line_after(before);
        match path.strip_prefix('{') {
            None => names.push((line, path.split(|c| !is_word(c)).next().unwrap_or_default())),
            Some(group) => names.extend(names_of_group(group).into_iter().map(|name| (line, name))),
        }
    }
    names
}

/// `io::{self, Scan}, units` gives `io` and `units`.
fn names_of_group(group: &str) -> Vec<&str> {
    let (mut names, mut depth, mut start) = (Vec::new(), 1, 0);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 || (depth == 1 && c == ',') {
            let path = group[start..at].trim_start();
            names.push(path.split(|c| !is_word(c)).next().unwrap_or_default());
            start = at + 1;
        }
        if depth == 0 {
            break;
        }
    }
    names
}

fn assert_none(violations: &[String]) {
    assert!(violations.is_empty(), "{} violations:\n{}", violations.len(), violations.join("\n"));
}

#[test]
fn no_path_climbs_and_no_layer_sees_its_sibling() {
    let mut violations = Vec::new();
    for Source { name, layer, code } in sources() {
        let (allowed, prefix): (Vec<&str>, &str) = match LAYERS.iter().find(|(known, _)| *known == layer) {
            Some((_, below)) => (below.iter().copied().chain([layer.as_str()]).collect(), "crate"),
            None if layer == "main" => (vec!["cli", "ui"], "ct2rgb"),
            None if layer == "lib" => continue,
            None => panic!("{name}: this layer has no place in the picture"),
        };
        for (line, used) in names_after(&code, prefix) {
            if !allowed.contains(&used) {
                violations.push(format!("src/{name}:{line}: {layer} must not use {used}"));
            }
        }
        for (line, used) in names_after(&code, "super") {
            if used != layer && LAYERS.iter().any(|(known, _)| *known == used) && !code.contains(&format!("mod {used}"))
            {
                violations
                    .push(format!("src/{name}:{line}: other layers are named from crate, not from super: {used}"));
            }
        }
    }
    assert_none(&violations);
}

#[test]
fn libraries_and_printing_stay_in_their_layers() {
    let mut violations = Vec::new();
    for Source { name, layer, code } in sources() {
        for (before, word, after) in words(&code) {
            for (belong, homes) in HOMES {
                let is_macro = matches!(word, "println" | "eprintln" | "print" | "eprint" | "dbg");
                let is_meant = if is_macro { after.starts_with('!') } else { true };
                if belong.contains(&word) && is_meant && !homes.contains(&layer.as_str()) {
                    let line = line_after(before);
                    violations.push(format!("src/{name}:{line}: {word} belongs into {}", homes.join(" and ")));
                }
            }
        }
    }
    assert_none(&violations);
}

#[test]
fn threads_are_started_by_the_engine_alone() {
    let mut violations = Vec::new();
    for Source { name, layer, code } in sources().into_iter().filter(|source| source.layer != "engine") {
        for (before, word, after) in words(&code) {
            let is_thread = word == "thread" && (before.ends_with("std::") || after.starts_with("::spawn"));
            if is_thread || (word == "thread" && after.starts_with("::Builder")) {
                violations.push(format!("src/{name}:{}: {layer} must not start threads", line_after(before)));
            }
        }
    }
    assert_none(&violations);
}

#[test]
fn no_file_names_a_folder_of_the_machine_it_was_written_on() {
    let folders = ["work", "home", "root", "Users"].map(|folder| format!("/{folder}/"));
    let mut files: Vec<PathBuf> = std::fs::read_dir(root()).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.is_file() && path.file_name().is_some_and(|name| name != ".git"));
    for folder in [".ci", "assets", "benches", "docs", "scripts", "shaders", "src", "tests", "weights"] {
        files_below(&root().join(folder), &mut files);
    }
    let mut violations = Vec::new();
    for path in files {
        // Pictures, weights and archives are no text.
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        for (number, line) in text.lines().enumerate() {
            let starts_a_path =
                |at: usize| !line[..at].ends_with(|c: char| is_word(c) || matches!(c, '.' | '/' | '~' | '}'));
            if folders.iter().any(|folder| line.match_indices(folder.as_str()).any(|(at, _)| starts_a_path(at))) {
                violations.push(format!("{}:{}: {}", path.display(), number + 1, line.trim()));
            }
        }
    }
    assert_none(&violations);
}

#[test]
fn comments_and_texts_are_no_code() {
    let code = code_of("a // crate::ui\n/* crate::io */ b \"crate::io \\\" x\" r#\"crate::ui\"# 'c' '\\n' &'a d");
    let found: Vec<&str> = words(&code).map(|(_, word, _)| word).collect();
    assert_eq!(found, ["a", "b", "a", "d"], "in {code:?}");
    let names = names_after("use crate::{io::{self, Scan}, units};\nlet x = crate::volume::CtVolume;", "crate");
    assert_eq!(names, [(1, "io"), (1, "units"), (2, "volume")]);
}
