//! The system's dialogs for files and folders. They run beside the window and never block it.

use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Poll, Wake, Waker};
use std::time::{Duration, Instant};

use eframe::egui::Context;
use rfd::{AsyncFileDialog, FileHandle};

/// What a chosen path is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChooserPurpose {
    /// Open a file.
    OpenFile,
    /// Open a folder.
    OpenFolder,
    /// Weights for the colours.
    Weights,
    /// The folder that pictures are written to.
    ExportFolder,
    /// A pairs table.
    Pairs,
    /// The folder of a training run.
    RunFolder,
    /// The weights of the perceptual loss.
    PerceptualWeights,
}

/// How a dialog ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Chosen {
    /// A path.
    Path(PathBuf),
    /// Nothing was chosen.
    Nothing,
    /// It ended before anybody could have chosen: this system has no such dialog.
    Unavailable,
}

struct Repaint(Context);

impl Wake for Repaint {
    fn wake(self: Arc<Self>) {
        self.0.request_repaint();
    }
}

struct Running {
    purpose: ChooserPurpose,
    started: Instant,
    answer: Pin<Box<dyn Future<Output = Option<FileHandle>>>>,
}

/// The dialog that is open, if one is.
#[derive(Default)]
pub struct Choosers {
    running: Option<Running>,
}

impl Choosers {
    /// Nobody chooses or cancels faster than this.
    const FASTEST_PERSON: Duration = Duration::from_millis(300);

    /// Shows a dialog; nothing happens while another one is open.
    pub fn show(&mut self, purpose: ChooserPurpose) {
        if self.running.is_some() {
            return;
        }
        let answer: Pin<Box<dyn Future<Output = Option<FileHandle>>>> = match purpose {
            ChooserPurpose::OpenFile => Box::pin(AsyncFileDialog::new().set_title("Open a CT file").pick_file()),
            ChooserPurpose::OpenFolder => Box::pin(AsyncFileDialog::new().set_title("Open a CT folder").pick_folder()),
            ChooserPurpose::Weights => Box::pin(
                AsyncFileDialog::new().set_title("Open weights").add_filter("Weights", &["safetensors"]).pick_file(),
            ),
            ChooserPurpose::ExportFolder => {
                Box::pin(AsyncFileDialog::new().set_title("Write pictures to").pick_folder())
            }
            ChooserPurpose::Pairs => Box::pin(
                AsyncFileDialog::new().set_title("Open a pairs table").add_filter("Table", &["csv"]).pick_file(),
            ),
            ChooserPurpose::RunFolder => Box::pin(AsyncFileDialog::new().set_title("Folder of the run").pick_folder()),
            ChooserPurpose::PerceptualWeights => Box::pin(
                AsyncFileDialog::new()
                    .set_title("Open ResNet-50 weights")
                    .add_filter("Weights", &["safetensors", "pth"])
                    .pick_file(),
            ),
        };
        self.running = Some(Running { purpose, started: Instant::now(), answer });
    }

    /// The answer of a dialog that ended, once.
    pub fn poll(&mut self, ctx: &Context) -> Option<(ChooserPurpose, Chosen)> {
        let running = self.running.as_mut()?;
        let waker = Waker::from(Arc::new(Repaint(ctx.clone())));
        let Poll::Ready(answer) = running.answer.as_mut().poll(&mut std::task::Context::from_waker(&waker)) else {
            return None;
        };
        let chosen = match answer {
            Some(handle) => Chosen::Path(handle.path().to_path_buf()),
            None if running.started.elapsed() < Self::FASTEST_PERSON => Chosen::Unavailable,
            None => Chosen::Nothing,
        };
        let purpose = running.purpose;
        self.running = None;
        Some((purpose, chosen))
    }
}
