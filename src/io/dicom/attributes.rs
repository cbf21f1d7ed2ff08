//! Values of a header, forgiving in form: padding, several values, numbers written as text.

use dicom_core::Tag;
use dicom_object::InMemDicomObject;

/// One data set, or one item of a sequence.
#[derive(Clone, Copy)]
pub(super) struct Attributes<'a>(pub(super) &'a InMemDicomObject);

impl<'a> Attributes<'a> {
    /// The text of an element, trimmed; `None` when it is absent or empty.
    pub(super) fn text(self, tag: Tag) -> Option<String> {
        self.texts(tag).into_iter().next()
    }

    /// All values of an element as text, trimmed; empty ones at the end are left out.
    pub(super) fn texts(self, tag: Tag) -> Vec<String> {
        let Some(values) = self.0.get(tag).and_then(|e| e.to_multi_str().ok()) else { return Vec::new() };
        let mut values: Vec<String> = values.iter().map(|v| v.trim_matches(['\0', ' ']).to_owned()).collect();
        while values.last().is_some_and(String::is_empty) {
            values.pop();
        }
        values
    }

    /// All values of an element as numbers, NaN for what is none; `None` when it is absent or empty.
    pub(super) fn numbers(self, tag: Tag) -> Option<Vec<f64>> {
        let element = self.0.get(tag)?;
        let numbers = element
            .to_multi_float64()
            .unwrap_or_else(|_text| self.texts(tag).iter().map(|text| text.parse().unwrap_or(f64::NAN)).collect());
        (!numbers.is_empty()).then_some(numbers)
    }

    /// The first value as a number.
    pub(super) fn number(self, tag: Tag) -> Option<f64> {
        self.numbers(tag)?.first().copied()
    }

    /// The first value as a whole number.
    pub(super) fn whole(self, tag: Tag) -> Option<i64> {
        self.number(tag).filter(|n| n.is_finite() && n.abs() < 9e15).map(|n| n as i64)
    }

    /// Exactly `N` finite numbers.
    pub(super) fn vector<const N: usize>(self, tag: Tag) -> Option<[f64; N]> {
        let numbers: [f64; N] = self.numbers(tag)?.try_into().ok()?;
        numbers.iter().all(|n| n.is_finite()).then_some(numbers)
    }

    /// Items of a sequence.
    pub(super) fn items(self, tag: Tag) -> Vec<Attributes<'a>> {
        self.0.get(tag).and_then(|e| e.items()).unwrap_or_default().iter().map(Attributes).collect()
    }

    /// Whether the element is there, and with a value.
    pub(super) fn has(self, tag: Tag) -> bool {
        self.0.get(tag).is_some()
    }
}
