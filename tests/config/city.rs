//! The file that the tests change.

/// A small city in which everything is said once.
pub(crate) const CITY: &str = r#"[server]
listen = ["udp:127.0.0.1:5062", { transport = "tcp", bind = "10.0.0.1:5060", advertised = "203.0.113.9:5070" }]
domains = ["city.example", "alias.example"]
drain_max = "10m"
shards = 1

[media]
addresses = ["127.0.0.1", { bind = "10.0.0.2", advertised = "203.0.113.10" }]
ports = "30000-30999"
threads = 2
rest = "3s"
silence = "40s"

[http]
bind = "0.0.0.0:8200"
token = "a-long-token-for-tests"

[events]
directory = "events"
rotate_mb = 32
sync_every = "500ms"

[store]
file = "/var/lib/city.db"

[log]
level = "debug"
format = "json"
recent_sip_mb = 16

[limits]
contacts = 5000
emergency_contacts = 50

[registration]
expires_min = "2m"
expires_max = "20m"

[phone]
alert_info = "<urn:alert:service:auto-answer>"
call_info = "<sip:city.example>;answer-after=0"

[prompts]
default = "ko"

[[language]]
name = "korean"
prompts = "ko"

[[language]]
name = "english"
prompts = "en"

[[skill]]
name = "tax"

[[agency]]
name = "hall"
number = "+82221200001"
dial = ["+822"]

[[agency]]
name = "works"
lend_at_most = 2
own_share = "34%"

[[pool]]
name = "front"
agency = "hall"

[[pool]]
name = "back"
agency = "works"

[[agent]]
name = "anna"
agency = "hall"
pools = ["front"]
skills = { korean = 10, english = 5, tax = 7 }
at_once = [{ voice = 1 }, { chat = 3 }]
password = "a-good-password"
ready = "on_register"
wrap_up = "5s"

[[agents]]
count = 3
first = 7
name = "desk{n}"
agency = "works"
pools = ["back", "front"]
skills = { korean = 9 }
contact = "sip:desk{n}@192.0.2.7:70{n}0;transport=tcp"

[queue_defaults]
ring = "12s"
announce_every = "never"
wait_max = "5m"

[[queue]]
name = "general"
agency = "hall"
prefer_agent = { name = "anna", wait = "20s" }
pools = ["front"]
overflow = "number:+82221200009"

[[queue]]
name = "tax"
agency = "works"
skills = { tax = 6 }
language_level = 3
pools = ["front"]
head_start = "15s"
emergency = true
widen = [{ after = "30s", lower_levels_by = 2 }, { after = "1m", more_pools = ["back"] }]
choose = "most_skilled"
answer = "late"
music = "music/default"
announce = "place_and_wait"
prefer_last = "25s"
ring_several = 3
announce_every = "20s"
refused_pause = "7s"
wrap_up = "9s"
wait_max = "never"
length_max = 12
overflow = "queue:general"
join_empty = "overflow"
leave_when_empty = "goodbye"
service_target = "15s"
short_abandon = "4s"
talk_max = "45m"

[[entry]]
name = "main"
greeting = ["ko/greeting"]
hours = { zone = "Asia/Seoul", week = ["mon-fri 09:00-18:00"], exceptions = ["2026-12-25 closed"] }
closed = { prompts = ["en/closed"], queue = "general", language = "korean" }

[entry.choice]
prompts = ["ko/language", "en/language"]
timeout = "6s"
tries = 3
default = "2"
keys = { 1 = { queue = "tax", language = "korean" }, 2 = "general" }

[[trunk]]
name = "carrier"
from = ["203.0.113.0/25", "2001:db8::/32"]
user = "carrier"
password = "another-good-password"
trusted = true
dialled_in = "diversion"
numbers = { 120 = "entry:main", "02-2120-0005" = "queue:tax" }
other_numbers = "entry:main"
country = "82"
national_prefix = "0"
international_prefix = "00"
outgoing = "national"
calls_max = 77
emergency_reserve = 5
calls_per_second_max = 11
probe_every = "30s"
to = { address = "203.0.113.1", transport = "tcp", host = "carrier.example", prefixes = ["+82"], caller = "+82221200001" }
"#;
