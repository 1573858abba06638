//! Netlink bytes: writes messages with nested attributes, reads messages and attributes.
//!
//! In and out go plain byte slices; nothing here touches a socket. What is read is never trusted:
//! a length that does not fit ends the iteration.

const HEADER: usize = 16;
const GENERIC_HEADER: usize = 4;
const ATTRIBUTE_HEADER: usize = 4;
const NESTED: u16 = 1 << 15;
const KIND_MASK: u16 = 0x3fff;

/// One or more netlink messages under construction.
#[derive(Default)]
pub(crate) struct Writer {
    bytes: Vec<u8>,
    message: usize,
}

/// An open nested attribute: where it began.
pub(crate) struct Nest(usize);

impl Writer {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Opens a message: netlink header and `struct nfgenmsg`.
    pub(crate) fn begin(&mut self, head: Head) {
        self.message = self.bytes.len();
        self.bytes.extend_from_slice(&0_u32.to_ne_bytes());
        self.bytes.extend_from_slice(&head.kind.to_ne_bytes());
        self.bytes.extend_from_slice(&head.flags.to_ne_bytes());
        self.bytes.extend_from_slice(&head.sequence.to_ne_bytes());
        self.bytes.extend_from_slice(&0_u32.to_ne_bytes());
        self.bytes.extend_from_slice(&[head.family, 0]);
        self.bytes.extend_from_slice(&head.resource.to_be_bytes());
    }

    /// Closes the message: its length becomes known.
    pub(crate) fn end(&mut self) {
        let length = u32::try_from(self.bytes.len() - self.message).unwrap_or(u32::MAX);
        self.bytes[self.message..self.message + 4].copy_from_slice(&length.to_ne_bytes());
    }

    /// Where in the open message the next attribute will stand, as the kernel counts offsets in
    /// its extended errors.
    pub(crate) fn offset(&self) -> usize {
        self.bytes.len() - self.message
    }

    pub(crate) fn attribute(&mut self, kind: u16, value: &[u8]) {
        let length = u16::try_from(value.len() + ATTRIBUTE_HEADER).unwrap_or(u16::MAX);
        self.bytes.extend_from_slice(&length.to_ne_bytes());
        self.bytes.extend_from_slice(&kind.to_ne_bytes());
        self.bytes.extend_from_slice(value);
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }

    /// A NUL-terminated string attribute.
    pub(crate) fn text(&mut self, kind: u16, value: &str) {
        let mut bytes = value.as_bytes().to_vec();
        bytes.push(0);
        self.attribute(kind, &bytes);
    }

    /// A number in network order, as nfnetlink has all of them.
    pub(crate) fn number(&mut self, kind: u16, value: u32) {
        self.attribute(kind, &value.to_be_bytes());
    }

    pub(crate) fn nest(&mut self, kind: u16) -> Nest {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&0_u16.to_ne_bytes());
        self.bytes.extend_from_slice(&(kind | NESTED).to_ne_bytes());
        Nest(start)
    }

    pub(crate) fn end_nest(&mut self, nest: Nest) {
        let Nest(start) = nest;
        let length = u16::try_from(self.bytes.len() - start).unwrap_or(u16::MAX);
        self.bytes[start..start + 2].copy_from_slice(&length.to_ne_bytes());
    }
}

/// What opens a message.
#[derive(Clone, Copy, Default)]
pub(crate) struct Head {
    /// Subsystem and operation.
    pub(crate) kind: u16,
    pub(crate) flags: u16,
    pub(crate) sequence: u32,
    pub(crate) family: u8,
    pub(crate) resource: u16,
}

/// A message as received.
pub(crate) struct Received<'a> {
    pub(crate) kind: u16,
    pub(crate) flags: u16,
    pub(crate) sequence: u32,
    /// The port of the socket whose request caused it.
    pub(crate) port: u32,
    /// Everything after the netlink header.
    pub(crate) payload: &'a [u8],
}

impl<'a> Received<'a> {
    /// The attributes behind `struct nfgenmsg`.
    pub(crate) fn attributes(&self) -> Attributes<'a> {
        Attributes(self.payload.get(GENERIC_HEADER..).unwrap_or_default())
    }

    /// The attributes behind a fixed header of another length (rtnetlink).
    pub(crate) fn attributes_after(&self, header: usize) -> Attributes<'a> {
        Attributes(self.payload.get(header..).unwrap_or_default())
    }
}

/// The messages of one datagram.
pub(crate) struct Messages<'a>(pub(crate) &'a [u8]);

impl<'a> Iterator for Messages<'a> {
    type Item = Received<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let length = usize::try_from(number(self.0.get(..4)?)).ok()?;
        let payload = self.0.get(HEADER..length)?;
        let message = Received {
            kind: u16::from_ne_bytes([self.0[4], self.0[5]]),
            flags: u16::from_ne_bytes([self.0[6], self.0[7]]),
            sequence: number(&self.0[8..12]),
            port: number(&self.0[12..16]),
            payload,
        };
        self.0 = self.0.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(message)
    }
}

/// The attributes of a message or of a nested attribute: kind without flags, and value.
#[derive(Clone, Copy)]
pub(crate) struct Attributes<'a>(pub(crate) &'a [u8]);

impl<'a> Attributes<'a> {
    pub(crate) fn find(self, kind: u16) -> Option<&'a [u8]> {
        let mut all = self;
        all.find_map(|(found, value)| (found == kind).then_some(value))
    }

    pub(crate) fn nested(self, kind: u16) -> Option<Attributes<'a>> {
        self.find(kind).map(Attributes)
    }

    /// A number in network order.
    pub(crate) fn number(self, kind: u16) -> Option<u32> {
        Some(u32::from_be_bytes(self.find(kind)?.try_into().ok()?))
    }

    /// A string attribute without its NUL.
    pub(crate) fn text(self, kind: u16) -> Option<&'a str> {
        let value = self.find(kind)?;
        let end = value.iter().position(|byte| *byte == 0).unwrap_or(value.len());
        std::str::from_utf8(&value[..end]).ok()
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let head = self.0.get(..ATTRIBUTE_HEADER)?;
        let length = usize::from(u16::from_ne_bytes([head[0], head[1]]));
        let kind = u16::from_ne_bytes([head[2], head[3]]) & KIND_MASK;
        let value = self.0.get(ATTRIBUTE_HEADER..length)?;
        self.0 = self.0.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    }
}

/// Four bytes in the host's order; shorter input reads as zero.
pub(crate) fn number(bytes: &[u8]) -> u32 {
    bytes.get(..4).and_then(|four| four.try_into().ok()).map_or(0, u32::from_ne_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_back() {
        let mut writer = Writer::new();
        for sequence in [7, 8] {
            writer.begin(Head { kind: 0x0a0c, sequence, family: 2, ..Head::default() });
            writer.text(1, "navigator");
            let nest = writer.nest(3);
            writer.number(1, 0x0102_0304);
            writer.end_nest(nest);
            writer.end();
        }
        let messages: Vec<_> = Messages(writer.bytes()).collect();
        assert_eq!(messages.iter().map(|m| m.sequence).collect::<Vec<_>>(), [7, 8]);
        let attributes = messages[1].attributes();
        assert_eq!(attributes.text(1), Some("navigator"));
        assert_eq!(attributes.nested(3).and_then(|n| n.number(1)), Some(0x0102_0304));
    }

    #[test]
    fn lengths_that_do_not_fit_end_the_iteration() {
        assert_eq!(Messages(&[255, 0, 0, 0, 1, 2]).count(), 0);
        assert_eq!(Messages(&[0; 32]).count(), 0);
        assert_eq!(Attributes(&[200, 0, 1, 0, 5]).count(), 0);
        assert_eq!(Attributes(&[0, 0, 0, 0]).count(), 0);
    }
}
