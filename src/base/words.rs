//! The shared labels: closed enums whose labels are the values of metrics, of the event log and of the API.

use std::fmt::Debug;

/// A closed enum with labels, as `words!` declares them.
pub trait Word: Copy + Eq + Debug + 'static {
    /// The label in metrics, log and API.
    fn label(self) -> &'static str;

    /// The value with this label.
    fn from_label(label: &str) -> Option<Self>;
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $label:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum $name {
            $($(#[$vdoc])* $variant,)+
        }

        impl $name {
            /// Every value, in a fixed order.
            pub const ALL: &'static [$name] = &[$($name::$variant,)+];

            /// The label in metrics, log and API.
            #[must_use]
            pub const fn label(self) -> &'static str {
                match self {
                    $($name::$variant => $label,)+
                }
            }

            /// The value with this label.
            #[must_use]
            pub fn from_label(label: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|word| word.label() == label)
            }

            /// A dense index below `ALL.len()`, for tables of counters.
            #[must_use]
            pub const fn index(self) -> usize {
                self as usize
            }
        }

        impl $crate::base::words::Word for $name {
            fn label(self) -> &'static str {
                $name::label(self)
            }

            fn from_label(label: &str) -> Option<Self> {
                $name::from_label(label)
            }
        }

        // By its label, which stays what it is when others are added.
        impl ::serde::Serialize for $name {
            fn serialize<S: ::serde::Serializer>(&self, serializer: S) -> ::std::result::Result<S::Ok, S::Error> {
                serializer.serialize_str(self.label())
            }
        }

        impl<'de> ::serde::Deserialize<'de> for $name {
            fn deserialize<D: ::serde::Deserializer<'de>>(deserializer: D) -> ::std::result::Result<Self, D::Error> {
                let label = <String as ::serde::Deserialize>::deserialize(deserializer)?;
                let unknown = || ::serde::de::Error::custom(format_args!("{label:?} is unknown"));
                $name::from_label(&label).ok_or_else(unknown)
            }
        }

        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str(self.label())
            }
        }
    };
}

pub(crate) use words;

words!(
    /// How a contact reached us.
    Channel {
        /// A telephone call.
        Voice = "voice",
        /// A conversation in writing.
        Chat = "chat",
    }
);

/// A queue or contact that names no channel is for calls.
impl Default for Channel {
    fn default() -> Self {
        Channel::Voice
    }
}

words!(
    /// The purpose of a stretch of a contact. Segments tile the contact: their times sum to its time.
    Segment {
        /// Greeting, choice, opening hours.
        Entry = "entry",
        /// In a queue, until an agent has answered.
        Queue = "queue",
        /// Talking to an agent.
        Talk = "talk",
        /// An agent consults another while the caller is held.
        Consult = "consult",
        /// Waiting for a call back.
        Callback = "callback",
        /// Asked for an opinion afterwards.
        Survey = "survey",
    }
);

words!(
    /// Who ended a contact. Never inferred: whoever ends it says so.
    EndedBy {
        /// The caller hung up or cancelled.
        Caller = "caller",
        /// The agent hung up.
        Agent = "agent",
        /// Somebody outside, reached over a trunk, hung up.
        Outside = "outside",
        /// hotline itself: a limit, a silence, a drain.
        System = "system",
        /// The queue was full or too slow, and its overflow was the end.
        Overflow = "overflow",
        /// Outside of opening hours, or nobody is logged in.
        Closed = "closed",
        /// A broken invariant of ours.
        Fault = "fault",
        /// The process died; written by the next start.
        Crash = "crash",
    }
);

words!(
    /// How a contact left a queue.
    QueueOutcome {
        /// An agent answered.
        Answered = "answered",
        /// The caller left.
        Abandoned = "abandoned",
        /// The caller left within the short-abandon threshold.
        ShortAbandoned = "short_abandoned",
        /// The wait was too long or the queue was full: sent on.
        Overflowed = "overflowed",
        /// Took the offer of a call back.
        CalledBack = "called_back",
        /// Moved to another queue.
        Moved = "moved",
        /// The queue closed, or nobody is logged in.
        Closed = "closed",
        /// We failed.
        Failed = "failed",
    }
);

words!(
    /// How a wait turned out, beside its estimate.
    EstimateOutcome {
        /// Within the range.
        Within = "within",
        /// Shorter than the range.
        Sooner = "sooner",
        /// Longer than the range.
        Later = "later",
        /// There was no estimate to compare with.
        Unknown = "unknown",
    }
);

words!(
    /// How the ringing of an agent ended.
    OfferOutcome {
        /// The agent answered.
        Accepted = "accepted",
        /// The agent refused (600, 603, 480, 403).
        Refused = "refused",
        /// The agent let it ring (RONA).
        TimedOut = "timed_out",
        /// The phone was busy (486).
        Busy = "busy",
        /// The phone could not be reached (404, 408, 5xx, Timer B, a broken flow).
        Unreachable = "unreachable",
        /// The caller left, or was served elsewhere, first.
        Withdrawn = "withdrawn",
    }
);

words!(
    /// What an agent is doing. Each state but ready, break and offline has a deadline.
    AgentState {
        /// Not signed in.
        Offline = "offline",
        /// Free, and waiting for a contact.
        Ready = "ready",
        /// Claimed for a contact, whose ring has not begun.
        Reserved = "reserved",
        /// The phone rings.
        Ringing = "ringing",
        /// In a talk.
        Talking = "talking",
        /// In wrap-up after a talk.
        WrapUp = "wrap_up",
        /// Not available, with a reason.
        Break = "break",
        /// In a call of their own.
        Busy = "busy",
    }
);

words!(
    /// Why an agent is on break.
    BreakReason {
        /// The agent asked for it.
        Asked = "asked",
        /// The phone was not answered (ring, no answer).
        Rona = "rona",
        /// The agent refused or was busy; ends by itself.
        Refused = "refused",
        /// The directory changed, or the process is draining.
        System = "system",
    }
);

words!(
    /// How a contact was passed on.
    TransferKind {
        /// To another agent, without asking first.
        Blind = "blind",
        /// To another agent, after a word with them.
        Attended = "attended",
        /// Into a queue.
        Queue = "queue",
        /// To a number outside.
        External = "external",
    }
);

words!(
    /// What became of a transfer.
    TransferOutcome {
        /// The caller is where they were sent.
        Completed = "completed",
        /// It failed and the caller is back with the agent who sent them.
        Returned = "returned",
        /// It failed and the caller is in a queue again.
        Failed = "failed",
        /// The caller left meanwhile.
        Abandoned = "abandoned",
    }
);

words!(
    /// Which way a call, a message or a packet goes, seen from hotline.
    Direction {
        /// Towards hotline.
        In = "in",
        /// From hotline.
        Out = "out",
    }
);

words!(
    /// A SIP transport (RFC 3261 18; WebSocket by RFC 7118).
    Transport {
        /// Datagrams.
        Udp = "udp",
        /// A stream.
        Tcp = "tcp",
        /// A stream under TLS.
        Tls = "tls",
        /// WebSocket.
        Ws = "ws",
        /// WebSocket under TLS.
        Wss = "wss",
    }
);

words!(
    /// Whose a leg is.
    LegRole {
        /// The caller's.
        Caller = "caller",
        /// An agent's.
        Agent = "agent",
        /// That of somebody outside, over a trunk.
        External = "external",
    }
);

words!(
    /// A state that must never occur, and was repaired.
    Repair {
        /// An agent stayed in a state beyond its deadline.
        AgentStuck = "agent_stuck",
        /// What one part of a call must know of another was not there; it went on without.
        Missing = "missing",
        /// A leg had not heard from its contact, of another shard, for too long.
        Forsaken = "forsaken",
    }
);

words!(
    /// What is bounded because it is fed from outside.
    Limit {
        /// Contacts up, those of emergencies left out.
        Contacts = "contacts",
        /// Contacts up beyond that, for emergencies alone.
        EmergencyContacts = "emergency_contacts",
        /// Server transactions.
        Transactions = "transactions",
        /// Contact addresses of registered phones.
        Bindings = "bindings",
        /// Nonces whose use is remembered.
        Nonces = "nonces",
        /// Calls up on trunks.
        TrunkCalls = "trunk_calls",
        /// New calls in a second on a trunk.
        TrunkRate = "trunk_rate",
        /// The matcher's slots for contacts, of all queues together.
        ContactSlots = "line_slots",
        /// The greatest length of a queue.
        QueueLength = "queue_length",
        /// Pairs of RTP and RTCP ports.
        MediaPorts = "media_ports",
        /// Commands that wait for a media thread.
        MediaCommands = "media_commands",
        /// Events and commands that wait for signalling.
        Inbox = "inbox",
        /// Datagrams that were received for another signalling thread, and wait for it.
        HandedOver = "handed_over",
        /// Keys pressed in a talk of several signalling threads that one of them has not read.
        Keys = "keys",
        /// Messages of text that nobody has read yet.
        UnreadTexts = "unread_texts",
        /// SIP connections over streams.
        Connections = "connections",
        /// Messages that wait for a peer on a stream to read them.
        ConnectionWrites = "connection_writes",
        /// HTTP connections.
        HttpConnections = "http_connections",
        /// Bytes of the event log that could not be written yet.
        LogBuffer = "log_buffer",
        /// Bytes of recent SIP messages; a new one takes the place of the oldest.
        RecentSip = "recent_sip",
        /// Numbers, trunks and agents whose SIP messages are logged for a while.
        Watches = "watches",
    }
);

impl Transport {
    /// Whether messages may be lost, so that transactions retransmit.
    #[must_use]
    pub const fn unreliable(self) -> bool {
        matches!(self, Transport::Udp)
    }

    /// The name in a Via header field (RFC 3261 20.42).
    #[must_use]
    pub const fn via_name(self) -> &'static str {
        match self {
            Transport::Udp => "UDP",
            Transport::Tcp => "TCP",
            Transport::Tls => "TLS",
            Transport::Ws => "WS",
            Transport::Wss => "WSS",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_those_that_dashboards_know() {
        let labels = |words: &[&str]| words.join(" ");
        let all = |n: Vec<&str>| n.join(" ");
        assert_eq!(
            all(Segment::ALL.iter().map(|w| w.label()).collect()),
            labels(&["entry", "queue", "talk", "consult", "callback", "survey"])
        );
        assert_eq!(
            all(EndedBy::ALL.iter().map(|w| w.label()).collect()),
            labels(&["caller", "agent", "outside", "system", "overflow", "closed", "fault", "crash"])
        );
        assert_eq!(
            all(QueueOutcome::ALL.iter().map(|w| w.label()).collect()),
            labels(&["answered", "abandoned", "short_abandoned", "overflowed", "called_back", "moved", "closed", "failed"])
        );
        assert_eq!(
            all(EstimateOutcome::ALL.iter().map(|w| w.label()).collect()),
            labels(&["within", "sooner", "later", "unknown"])
        );
        assert_eq!(
            all(OfferOutcome::ALL.iter().map(|w| w.label()).collect()),
            labels(&["accepted", "refused", "timed_out", "busy", "unreachable", "withdrawn"])
        );
        assert_eq!(
            all(AgentState::ALL.iter().map(|w| w.label()).collect()),
            labels(&["offline", "ready", "reserved", "ringing", "talking", "wrap_up", "break", "busy"])
        );
        for word in QueueOutcome::ALL {
            assert_eq!(QueueOutcome::from_label(word.label()), Some(*word));
            assert_eq!(QueueOutcome::ALL[word.index()], *word);
        }
    }
}
