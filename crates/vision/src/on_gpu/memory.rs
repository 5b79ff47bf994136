use super::{bytes_of_value, defect};
use crate::{
    Result,
    cuda::{DeviceBuffer, Event, Gpu, Place, Target},
};
use std::{ops::Range, sync::Arc};

/// Pictures in a GPU's memory, in the context of the frame that they were made of. Its memory is wiped before anybody else
/// gets it.
#[derive(Default)]
pub(crate) struct Memory {
    buffer: Option<DeviceBuffer>,
    /// Behind the kernels that write it.
    ready: Option<Event>,
    /// Whether the numbers have 16 bits.
    half: bool,
}

impl Memory {
    pub(crate) fn half(&self) -> bool {
        self.half
    }
    pub(super) fn gpu(&self) -> Option<&Gpu> {
        self.buffer.as_ref().map(DeviceBuffer::gpu)
    }
    pub(super) fn ready(&self) -> Result<&Event> {
        self.ready.as_ref().ok_or_else(|| defect("a picture on a GPU is not there"))
    }
    pub(super) fn buffer(&self) -> Result<&DeviceBuffer> {
        self.buffer.as_ref().ok_or_else(|| defect("a picture on a GPU is not there"))
    }
}

/// A place for [`Memory`] that is used again, so that the next frame's takes nothing from the heap.
#[derive(Default)]
pub(crate) struct Shell(Option<Arc<Memory>>);

impl Shell {
    /// Memory for `bytes` bytes in the context of `gpu`, to be written in the order of a stream, which [`Shell::filled`] then
    /// marks.
    pub(crate) fn take(&mut self, gpu: &Gpu, bytes: usize, half: bool) -> Result<()> {
        let memory = Memory { buffer: Some(gpu.allocate(bytes)?), ready: None, half };
        match self.own() {
            Some(own) => *own = memory,
            // Somebody's batch still holds the one before, or there was none.
            None => self.0 = Some(Arc::new(memory)),
        }
        Ok(())
    }

    /// What writes the memory comes before `ready`.
    pub(crate) fn filled(&mut self, ready: Event) -> Result<()> {
        let memory = self.own().ok_or_else(|| defect("a picture is read before it is made"))?;
        memory.ready = Some(ready);
        Ok(())
    }

    /// Gives the memory back, at the latest when the last run that reads it is enqueued.
    pub(crate) fn clear(&mut self) {
        match self.own() {
            Some(own) => *own = Memory::default(),
            None => self.0 = None,
        }
    }

    fn own(&mut self) -> Option<&mut Memory> {
        self.0.as_mut().and_then(Arc::get_mut)
    }

    /// `count` pictures of `bytes` bytes each, the first of which begins at `offset`. `None`: there is no memory.
    pub(crate) fn part(&self, offset: usize, count: usize, bytes: usize) -> Option<Part> {
        Some(Part { memory: Arc::clone(self.0.as_ref()?), offset, count, bytes })
    }

    /// Where kernels write from `offset` bytes on.
    pub(crate) fn target(&self, offset: usize) -> Result<Target> {
        let memory = self.0.as_ref().ok_or_else(|| defect("a picture has no place on the GPU"))?;
        Ok(Target::of(memory.buffer()?, offset))
    }
}

/// Some pictures in [`Memory`], one after the other without gaps.
#[derive(Clone)]
pub(crate) struct Part {
    pub(super) memory: Arc<Memory>,
    offset: usize,
    count: usize,
    /// Of each.
    bytes: usize,
}

impl Part {
    pub(crate) fn count(&self) -> usize {
        self.count
    }
    pub(crate) fn memory(&self) -> &Memory {
        &self.memory
    }
    pub(super) fn bytes(&self) -> usize {
        self.count * self.bytes
    }
    /// Numbers in it.
    pub(super) fn values(&self) -> usize {
        self.bytes() / bytes_of_value(self.memory.half)
    }
    /// The first of them on the device.
    pub(super) fn place(&self) -> Result<Place<'_>> {
        self.memory.buffer()?.place(self.offset, self.bytes())
    }
    pub(super) fn offset(&self) -> usize {
        self.offset
    }

    /// Takes pictures in that follow its own. `false`: they do not.
    pub(crate) fn join(&mut self, more: &Self) -> bool {
        let follows = Arc::ptr_eq(&self.memory, &more.memory)
            && self.bytes == more.bytes
            && self.offset + self.bytes() == more.offset;
        if follows {
            self.count += more.count;
        }
        follows
    }

    /// Some of its pictures.
    pub(crate) fn some(&self, pictures: Range<usize>) -> Self {
        let end = pictures.end.min(self.count);
        let start = pictures.start.min(end);
        Self {
            memory: Arc::clone(&self.memory),
            offset: self.offset + start * self.bytes,
            count: end - start,
            bytes: self.bytes,
        }
    }
}
