//! The house plan, checked: which layer may import which, who may name the platform, and that the error codes are
//! the same in Rust, in the typings and in the README.

use stationmaster::base::error::KINDS;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// A source file without comments, texts and unit tests, and its place in the module tree.
struct Source {
    path: String,
    module: Vec<String>,
    code: String,
}

/// What each layer may name besides itself; `face` may name everything.
const BELOW: [(&str, &[&str]); 6] = [
    ("client", &["brokers", "link", "policy", "runtime", "base"]),
    ("brokers", &["link", "policy", "runtime", "base"]),
    ("link", &["policy", "runtime", "base"]),
    ("policy", &["base"]),
    ("runtime", &["base"]),
    ("base", &[]),
];

/// Crates of the platform; only `face` and `runtime/web` may name them.
const PLATFORM: [&str; 6] =
    ["wasm_bindgen", "wasm_bindgen_futures", "serde_wasm_bindgen", "js_sys", "web_sys", "gloo_timers"];

/// Sockets, clocks and randomness; only `runtime` may name them.
const OUTSIDE: [&str; 7] = ["Instant", "SystemTime", "getrandom", "TcpStream", "TcpListener", "UdpSocket", "sleep"];

#[test]
fn imports_go_downwards_only() {
    let mut wrong = Vec::new();
    for source in sources() {
        for path in paths(&source) {
            if let Some(reason) = forbidden(&source.module, &path) {
                wrong.push(format!("{}: crate::{} ({reason})", source.path, path.join("::")));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn only_face_and_runtime_name_the_platform() {
    let mut wrong = Vec::new();
    for source in sources() {
        let words = words(&source.code);
        let layer = source.module.first().map_or("", String::as_str);
        let web = layer == "face" || source.module.starts_with(&["runtime".into(), "web".into()]);
        let named = |list: &[&str]| list.iter().find(|word| words.contains(**word)).map(|word| word.to_string());
        if let Some(word) = (!web).then(|| named(&PLATFORM)).flatten() {
            wrong.push(format!("{} names {word}", source.path));
        }
        if let Some(word) = (layer != "runtime").then(|| named(&OUTSIDE)).flatten() {
            wrong.push(format!("{} names {word}", source.path));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn no_file_is_too_long() {
    let long: Vec<_> = ["src", "pkg/shell", "pkg/schemas/src", "www", "tests", "bench", "fuzz", "scripts", "tools"]
        .iter()
        .flat_map(|folder| files(&root().join(folder)))
        .filter(|path| fs::read_to_string(path).unwrap().lines().count() > 800)
        .collect();
    assert!(long.is_empty(), "{long:?}");
}

#[test]
fn error_codes_are_the_same_everywhere() {
    let ours: BTreeSet<String> = KINDS.iter().map(|kind| kind.code().to_string()).collect();
    assert_eq!(ours.len(), KINDS.len());
    let sorted: Vec<_> = KINDS.iter().map(|kind| kind.code()).collect();
    assert!(sorted.is_sorted(), "{sorted:?}");

    for typings in ["src/face/typings/errors.rs", "tests/package/contract.d.ts"] {
        let text = read(typings);
        let union = text.split("export type ErrorCode").nth(1).unwrap_or_else(|| panic!("{typings} has no ErrorCode"));
        let union: String = union.split(';').next().unwrap().lines().map(without_comment).collect();
        let theirs: BTreeSet<String> = union.split('"').skip(1).step_by(2).map(String::from).collect();
        assert_eq!(theirs, ours, "{typings}");
    }

    let readme = read("README.md");
    let rows: BTreeSet<String> = readme
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next().map(String::from))
        .filter(|code| ours.contains(code))
        .collect();
    assert_eq!(rows, ours, "the table of errors in README.md");
}

#[test]
fn the_check_sees_what_it_should() {
    let source = Source {
        path: String::new(),
        module: vec!["brokers".into(), "nats".into(), "wire".into()],
        code: "use crate::{base::error, link::{outbox::Outbox, url}};\nuse super::super::memory::Store;\nself::x::y();"
            .into(),
    };
    let found: Vec<String> = paths(&source).iter().map(|path| path.join("::")).collect();
    let expected =
        ["base::error", "link::outbox::Outbox", "link::url", "brokers::memory::Store", "brokers::nats::wire::x::y"];
    assert_eq!(found, expected);
    let verdicts: Vec<_> = paths(&source).iter().map(|path| forbidden(&source.module, path).is_some()).collect();
    assert_eq!(verdicts, [false, true, true, true, false]);
    let client = vec!["client".to_string(), "driver".into()];
    let path = |text: &str| text.split("::").map(String::from).collect::<Vec<_>>();
    assert!(forbidden(&client, &path("runtime::Runtime")).is_none());
    assert!(forbidden(&client, &path("runtime::sim::World")).is_some());
    assert!(forbidden(&client, &path("face::x")).is_some());
    assert!(forbidden(&path("policy::credit"), &path("runtime::Runtime")).is_some());
}

/// Why this arrow must not be, if it must not.
fn forbidden(from: &[String], to: &[String]) -> Option<&'static str> {
    let part = |path: &[String], at: usize| path.get(at).cloned().unwrap_or_default();
    let (layer, target) = (part(from, 0), part(to, 0));
    let (_, below) = BELOW.iter().find(|(name, _)| *name == layer)?;
    if !BELOW.iter().any(|(name, _)| *name == target) && target != "face" {
        return None;
    }
    if layer != target && !below.contains(&target.as_str()) {
        return Some("upwards");
    }
    let broker = |name: &str| fs::metadata(root().join("src/brokers").join(name)).is_ok_and(|found| found.is_dir());
    if from.last().is_some_and(|name| name == "wire") && target != "base" && !to.starts_with(from) {
        return Some("wire knows only base");
    }
    if layer == "brokers" && target == "brokers" {
        let (mine, theirs) = (part(from, 1), part(to, 1));
        if !mine.is_empty()
            && broker(&theirs)
            && mine != theirs
            && (mine.as_str(), theirs.as_str()) != ("memphis", "nats")
        {
            return Some("no broker names another");
        }
    }
    if target == "runtime" && layer != "runtime" && matches!(part(to, 1).as_str(), "sim" | "web") {
        return Some("only face and tests name an implementation of the runtime");
    }
    None
}

/// Every path into the crate that a source names, from the root of the crate.
fn paths(source: &Source) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    let code = &source.code;
    let mut at = 0;
    while at < code.len() {
        let rest = &code[at..];
        let begins = !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':');
        let mut prefix = None;
        let mut skip = 0;
        if begins && rest.starts_with("crate::") {
            (prefix, skip) = (Some(Vec::new()), 7);
        } else if begins && rest.starts_with("self::") {
            (prefix, skip) = (Some(source.module.clone()), 6);
        } else if begins && rest.starts_with("super::") {
            let mut module = source.module.clone();
            while rest[skip..].starts_with("super::") {
                module.pop();
                skip += 7;
            }
            prefix = Some(module);
        }
        match prefix {
            Some(prefix) => {
                expand(&prefix, &rest[skip..], &mut found);
                at += skip;
            }
            None => at += rest.chars().next().map_or(1, char::len_utf8),
        }
    }
    found
}

/// Read `a::b::{c, d::e}`, and return how much of the text it is.
fn expand(prefix: &[String], text: &str, found: &mut Vec<Vec<String>>) -> usize {
    let mut path = prefix.to_vec();
    let mut at = 0;
    loop {
        let rest = &text[at..];
        if rest.starts_with('{') {
            at += 1;
            loop {
                at += text[at..].len() - text[at..].trim_start_matches([' ', '\n', '\t', ',']).len();
                if at >= text.len() || text[at..].starts_with('}') {
                    return at + 1;
                }
                let used = expand(&path, &text[at..], found);
                at += used.max(1);
                // Past "as name" and the like, up to the next element.
                while at < text.len() && !text[at..].starts_with([',', '}']) {
                    at += text[at..].chars().next().map_or(1, char::len_utf8);
                }
            }
        }
        let name = rest.len() - rest.trim_start_matches(|c: char| c.is_alphanumeric() || c == '_').len();
        if name > 0 {
            path.push(rest[..name].to_string());
            at += name;
        }
        if name > 0 && text[at..].starts_with("::") {
            at += 2;
        } else {
            found.push(path);
            return at;
        }
    }
}

fn words(code: &str) -> BTreeSet<&str> {
    code.split(|c: char| !c.is_alphanumeric() && c != '_').collect()
}

fn sources() -> Vec<Source> {
    let src = root().join("src");
    let found: Vec<Source> = files(&src)
        .into_iter()
        .filter(|path| path.extension().is_some_and(|ending| ending == "rs"))
        .map(|path| {
            let inside = path.strip_prefix(&src).unwrap().with_extension("");
            let mut module: Vec<String> = inside.iter().map(|part| part.to_string_lossy().into_owned()).collect();
            if module.last().is_some_and(|name| name == "mod" || name == "lib") {
                module.pop();
            }
            // Files of unit tests stand beside the code and may name what tests may name.
            let is_test = module.iter().any(|name| name == "tests" || name.ends_with("_tests"));
            let text = if is_test { String::new() } else { plain(&fs::read_to_string(&path).unwrap()) };
            Source { path: path.strip_prefix(root()).unwrap().display().to_string(), module, code: text }
        })
        .collect();
    assert!(found.len() > 20, "only {} files", found.len());
    found
}

/// Without comments, texts and the block of unit tests.
fn plain(text: &str) -> String {
    let text = text.split("\n#[cfg(test)]\nmod ").next().unwrap_or_default();
    text.lines().map(without_comment).map(|line| without_texts(&line)).collect::<Vec<_>>().join("\n")
}

fn without_comment(line: &str) -> String {
    line.split("//").next().unwrap_or_default().to_string()
}

fn without_texts(line: &str) -> String {
    line.split('"').step_by(2).collect::<Vec<_>>().join("\"\"")
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && !["target", "node_modules", "corpus", "artifacts"].contains(&name.as_str()) {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|e| ["rs", "js", "mjs", "ts"].iter().any(|known| e == *known)) {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}
