//! `--window NAME|C/W`: the grey of the panes.

use std::str::FromStr;

use crate::volume::{SeriesInfo, WindowLevel, window_presets};

/// A window as `--window` names it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct WindowChoice(WindowLevel);

impl FromStr for WindowChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let presets = window_presets();
        let plain = |name: &str| name.to_lowercase().replace([' ', '-', '_'], "");
        if let Some(preset) = presets.iter().find(|preset| plain(&preset.name) == plain(text)) {
            return Ok(Self(preset.window));
        }
        let numbers = text
            .split_once('/')
            .and_then(|(center, width)| Some((center.trim().parse::<f32>().ok()?, width.trim().parse::<f32>().ok()?)));
        let Some((center_hu, width_hu)) = numbers else {
            let names: Vec<String> = presets.iter().map(|p| p.name.to_lowercase().replace(' ', "-")).collect();
            return Err(format!("expected {} or CENTRE/WIDTH in HU such as 40/400, found {text:?}", names.join(", ")));
        };
        WindowLevel::new(center_hu, width_hu).map(Self).map_err(|error| error.to_string())
    }
}

/// The window of the panes: what was asked for, else the file's first, else soft tissue.
pub(super) fn window_for(choice: Option<WindowChoice>, info: &SeriesInfo) -> WindowLevel {
    let of_file = || info.windows.first().map(|named| named.window);
    choice.map(|choice| choice.0).or_else(of_file).unwrap_or(WindowLevel::SOFT_TISSUE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_named_or_given_in_numbers() {
        let soft_tissue = Ok(WindowChoice(WindowLevel::SOFT_TISSUE));
        for text in ["Soft tissue", "soft-tissue", "40/400", " 40 / 400"] {
            assert_eq!(text.parse::<WindowChoice>(), soft_tissue, "{text}");
        }
        let lung: WindowChoice = "-600/1500".parse().unwrap();
        assert_eq!(lung, "lung".parse().unwrap());
    }

    #[test]
    fn windows_that_are_none_list_those_there_are() {
        let error = "belly".parse::<WindowChoice>().unwrap_err();
        let expected = "expected brain, soft-tissue, lung, bone, liver or CENTRE/WIDTH in HU such as 40/400";
        assert!(error.starts_with(expected), "{error}");
        assert!("40/0".parse::<WindowChoice>().unwrap_err().contains("width 0 HU is undefined"));
    }
}
