//! A held-out slice: CT, as it was painted before, as it is painted now, and the photograph.

use std::sync::Arc;

use eframe::egui::{
    self, ColorImage, Context, RichText, Role, Sense, TextureHandle, TextureOptions, Ui, Vec2, WidgetInfo,
};

use super::theme;
use crate::engine::TrainingPreview;
use crate::training::RgbPicture;
use crate::volume::SYNTHETIC_MARK;

/// What is said where a photograph is shown.
const DONATED: &str = "The photograph is of a person who gave their body to science";

/// Textures that serve one preview after another.
#[derive(Default)]
pub struct TrainingPictures {
    slots: [Option<(Arc<RgbPicture>, TextureHandle)>; 4],
}

impl TrainingPictures {
    /// The texture of a place, uploaded when the picture is another one.
    fn texture(&mut self, ctx: &Context, index: usize, picture: &Arc<RgbPicture>) -> &TextureHandle {
        let slot = &mut self.slots[index];
        if let Some((shown, handle)) = slot
            && !Arc::ptr_eq(shown, picture)
        {
            handle.set(image_of(picture), TextureOptions::LINEAR);
            *shown = Arc::clone(picture);
        }
        let (_, handle) = slot.get_or_insert_with(|| {
            let name = format!("training picture {index}");
            (Arc::clone(picture), ctx.load_texture(name, image_of(picture), TextureOptions::LINEAR))
        });
        handle
    }
}

fn image_of(picture: &RgbPicture) -> ColorImage {
    ColorImage::from_rgb([picture.columns(), picture.rows()], picture.rgb8())
}

/// The four pictures, two in a row.
pub fn pictures_ui(ui: &mut Ui, preview: &TrainingPreview, pictures: &mut TrainingPictures) {
    ui.label(RichText::new(format!("Held-out slice {}", preview.slice)).strong());
    ui.label(RichText::new(format!("Before and now: {SYNTHETIC_MARK}")).small().color(theme::colors(ui.ctx()).warning));
    let gap = theme::GRID_POINTS;
    let side = ((ui.available_width() - gap) / 2.0).clamp(64.0, 512.0);
    let named =
        [("CT", &preview.ct), ("Before", &preview.before), ("Now", &preview.now), ("Photograph", &preview.truth)];
    egui::Grid::new("training pictures").num_columns(2).spacing(Vec2::splat(gap)).show(ui, |ui| {
        for (index, (name, picture)) in named.into_iter().enumerate() {
            let texture = pictures.texture(ui.ctx(), index, picture).id();
            picture_ui(ui, texture, name, side);
            if index % 2 == 1 {
                ui.end_row();
            }
        }
    });
    ui.label(RichText::new(DONATED).small().weak());
}

fn picture_ui(ui: &mut Ui, texture: egui::TextureId, name: &str, side: f32) {
    let (rect, response) = ui.allocate_exact_size(Vec2::splat(side), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, format!("{name}, held-out slice")));
    let (painter, colors) = (ui.painter_at(rect), theme::colors(ui.ctx()));
    let whole = egui::Rect::from_min_max(egui::Pos2::ZERO, egui::pos2(1.0, 1.0));
    painter.image(texture, rect, whole, egui::Color32::WHITE);
    let galley = painter.layout_no_wrap(name.to_owned(), theme::font(theme::SMALL_POINTS), colors.label);
    let place = egui::Rect::from_min_size(rect.min + Vec2::splat(theme::GRID_POINTS), galley.size());
    painter.rect_filled(place.expand2(Vec2::new(3.0, 1.0)), 3.0, colors.label_plate);
    painter.galley(place.min, galley, colors.label);
}
