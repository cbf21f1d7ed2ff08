//! Events on their way to the reader: bounded, and without news of what is gone.

use std::collections::VecDeque;
use std::mem::discriminant;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::WakeUp;
use super::messages::Event;
use super::training_messages::TrainingEvent;

/// Most events that wait; whoever has more to say waits until some are read.
const CAPACITY: usize = 4096;

/// What an event is about: it is dropped when that is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Topic {
    /// Always delivered.
    Program,
    /// A scan of headers, by its number.
    Scan(u64),
    /// An open series, by its number.
    Series(u64),
    /// Colours made with one generator and ranges for one series, by their number.
    Colors(u64),
}

/// The newest number of each kind.
#[derive(Clone, Copy, Debug, Default)]
struct Newest {
    scan: u64,
    series: u64,
    colors: u64,
}

impl Newest {
    fn is_stale(&self, topic: Topic) -> bool {
        match topic {
            Topic::Program => false,
            Topic::Scan(number) => number < self.scan,
            Topic::Series(number) => number < self.series,
            Topic::Colors(number) => number < self.colors,
        }
    }
}

#[derive(Debug, Default)]
struct Waiting {
    events: VecDeque<(Topic, Event)>,
    newest: Newest,
    is_closed: bool,
}

/// Events on their way from the workers to one reader.
pub(super) struct EventQueue {
    waiting: Mutex<Waiting>,
    has_room: Condvar,
    has_news: Condvar,
    wake_up: WakeUp,
}

impl EventQueue {
    pub(super) fn new(wake_up: WakeUp) -> Self {
        Self { waiting: Mutex::default(), has_room: Condvar::new(), has_news: Condvar::new(), wake_up }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From a worker; waits while too many events are unread. Not to be called with a lock in hand.
    pub(super) fn push(&self, topic: Topic, event: Event) {
        self.push_within(Duration::ZERO, topic, event);
    }

    /// The same for news that may be read a little later, together with others.
    pub(super) fn push_within(&self, at_most: Duration, topic: Topic, event: Event) {
        let mut waiting = self.lock();
        while waiting.events.len() >= CAPACITY && !waiting.is_closed {
            waiting = self.has_room.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
        self.append(waiting, at_most, topic, event);
    }

    /// From the reader's own thread, which must not wait for itself.
    pub(super) fn push_now(&self, topic: Topic, event: Event) {
        self.append(self.lock(), Duration::ZERO, topic, event);
    }

    fn append(&self, mut waiting: MutexGuard<'_, Waiting>, at_most: Duration, topic: Topic, event: Event) {
        if waiting.is_closed || waiting.newest.is_stale(topic) {
            return;
        }
        match waiting.events.back_mut() {
            Some(last) if last.0 == topic && is_superseded(&last.1, &event) => last.1 = event,
            _ => waiting.events.push_back((topic, event)),
        }
        drop(waiting);
        self.has_news.notify_one();
        (self.wake_up)(at_most);
    }

    /// Drops the events of older things of this kind, those on their way too.
    pub(super) fn advance(&self, to: Topic) {
        let mut waiting = self.lock();
        match to {
            Topic::Program => {}
            Topic::Scan(number) => waiting.newest.scan = number,
            Topic::Series(number) => waiting.newest.series = number,
            Topic::Colors(number) => waiting.newest.colors = number,
        }
        let newest = waiting.newest;
        waiting.events.retain(|(topic, _)| !newest.is_stale(*topic));
        drop(waiting);
        self.has_room.notify_all();
    }

    /// The oldest event; never waits.
    pub(super) fn try_pop(&self) -> Option<Event> {
        let (_, event) = self.lock().events.pop_front()?;
        self.has_room.notify_all();
        Some(event)
    }

    /// The oldest event; waits for one as long as `at_most`.
    pub(super) fn pop(&self, at_most: Duration) -> Option<Event> {
        let deadline = Instant::now() + at_most;
        let mut waiting = self.lock();
        while waiting.events.is_empty() {
            let left = deadline.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())?;
            waiting = self.has_news.wait_timeout(waiting, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        let event = waiting.events.pop_front().map(|(_, event)| event);
        drop(waiting);
        self.has_room.notify_all();
        event
    }

    /// Nobody reads any more: nobody waits any more either.
    pub(super) fn close(&self) {
        let mut waiting = self.lock();
        waiting.is_closed = true;
        waiting.events.clear();
        drop(waiting);
        self.has_room.notify_all();
    }
}

/// News of progress replaces older news of the same progress.
fn is_superseded(old: &Event, new: &Event) -> bool {
    match (old, new) {
        (Event::Scanning { .. } | Event::ExportProgress { .. }, _) => discriminant(old) == discriminant(new),
        (Event::Training(old), Event::Training(new)) => {
            matches!(old, TrainingEvent::Preparing { .. }) && discriminant(old) == discriminant(new)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::units::SliceIndex;

    fn queue() -> EventQueue {
        EventQueue::new(Arc::new(|_| {}))
    }

    fn slice_numbers(queue: &EventQueue) -> Vec<usize> {
        let events = std::iter::from_fn(|| queue.try_pop());
        events.filter_map(|event| if let Event::SliceRead(slice) = event { Some(slice.0) } else { None }).collect()
    }

    #[test]
    fn events_of_a_series_that_is_gone_are_never_delivered() {
        let queue = queue();
        queue.advance(Topic::Series(1));
        queue.push(Topic::Series(1), Event::SliceRead(SliceIndex(1)));
        queue.advance(Topic::Series(2));
        queue.push(Topic::Series(1), Event::SliceRead(SliceIndex(2)));
        queue.push(Topic::Series(2), Event::SliceRead(SliceIndex(3)));
        assert_eq!(slice_numbers(&queue), [3], "neither the one that waited nor the one that came late");
    }

    #[test]
    fn progress_is_told_as_it_stands_and_other_events_in_full() {
        let queue = queue();
        for files in [1, 2, 3] {
            queue.push(Topic::Scan(0), Event::Scanning { files });
        }
        for slice in [4, 5] {
            queue.push(Topic::Series(0), Event::SliceRead(SliceIndex(slice)));
        }
        assert!(matches!(queue.try_pop(), Some(Event::Scanning { files: 3 })), "the newest count only");
        assert_eq!(slice_numbers(&queue), [4, 5], "each slice");
    }

    #[test]
    fn a_closed_queue_keeps_nobody_waiting() {
        let queue = queue();
        queue.close();
        for slice in 0..2 * CAPACITY {
            queue.push(Topic::Series(0), Event::SliceRead(SliceIndex(slice)));
        }
        assert!(queue.try_pop().is_none(), "and holds nothing");
        assert!(queue.pop(Duration::from_millis(1)).is_none(), "nor is it waited for");
    }
}
