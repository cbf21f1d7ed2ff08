//! The windows that a file suggests.

use dicom_dictionary_std::tags;

use super::attributes::Attributes;
use crate::volume::{NamedWindow, SeriesWarning, WindowLevel};

/// Names are shown on buttons.
const MAX_NAME_CHARS: usize = 40;

/// All pairs of centre and width with their explanations; those without meaning are left out with a warning.
pub(super) fn of(attributes: Attributes<'_>, warnings: &mut Vec<SeriesWarning>) -> Vec<NamedWindow> {
    let centers = attributes.numbers(tags::WINDOW_CENTER).unwrap_or_default();
    let widths = attributes.numbers(tags::WINDOW_WIDTH).unwrap_or_default();
    let names = attributes.texts(tags::WINDOW_CENTER_WIDTH_EXPLANATION);
    let function = attributes.text(tags::VOILUT_FUNCTION).unwrap_or_default();
    match function.as_str() {
        "" | "LINEAR" => {}
        "LINEAR_EXACT" | "SIGMOID" => warnings.push(SeriesWarning {
            code: "window-function",
            message: format!("the file's windows ask for the function {function}; they are shown as LINEAR"),
        }),
        _ => warnings.push(SeriesWarning {
            code: "window-function",
            message: "the file's windows ask for an unknown function; they are shown as LINEAR".to_owned(),
        }),
    }
    if attributes.has(tags::VOILUT_SEQUENCE) {
        warnings.push(SeriesWarning {
            code: "voi-lut",
            message: "the file suggests a table of greys (VOI LUT), which is not shown; windows are used".to_owned(),
        });
    }
    let mut windows: Vec<NamedWindow> = Vec::new();
    for (index, (center, width)) in centers.iter().zip(&widths).enumerate() {
        let Ok(window) = WindowLevel::new(*center as f32, *width as f32) else {
            warnings.push(SeriesWarning {
                code: "window-unusable",
                message: format!("window {} of the file, {center}/{width}, is undefined and left out", index + 1),
            });
            continue;
        };
        let name = names.get(index).filter(|n| !n.is_empty()).map_or("File", String::as_str);
        let name: String = name.chars().filter(|c| !c.is_control()).take(MAX_NAME_CHARS).collect();
        if !windows.iter().any(|w| w.window == window) {
            windows.push(NamedWindow { name, window });
        }
    }
    windows
}
