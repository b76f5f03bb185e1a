"""What is put on a proxy: how many connections and streams, what they do and how fast."""
import re
from dataclasses import dataclass

WORD = re.compile(r"(?:(?P<unary>unary)?(?P<connections>[1-9]\d{0,4})x(?P<streams>[1-9]\d{0,3})"
                  r"(?:@(?P<rate>[1-9]\d{0,3})k)?(?::(?P<size>[1-9]\d?)k)?"
                  r"|newconn(?P<at_a_time>[1-9]\d{0,2})|(?P<idle>[1-9]\d{0,4})idle)(?P<workers>/2)?")
FORMS = ("50x1 is connections x streams in a closed loop, 200x1@20k with 20000 pings a second, 4x4:16k with pings of "
         "16 KiB, unary50x10 a call for each ping, newconn4 a connection for each, four at a time, 3000idle silent "
         "streams; /2 behind it means two workers")


@dataclass(frozen=True)
class Shape:
    name: str
    kind: str  # streams, unary, connect, idle: as the driver of nghttp2_pair has them
    connections: int
    streams: int = 1
    rate: int = 0  # pings a second over all streams; 0: as each is answered
    size: int = 4
    workers: int = 1

    @classmethod
    def parse(cls, word):
        found = WORD.fullmatch(word)
        if not found or (found["unary"] and found["rate"]) or (found["idle"] and found["workers"]):
            raise ValueError(f"{word!r} is no shape: {FORMS}")
        workers = 2 if found["workers"] else 1
        if found["idle"]:
            return cls(word, "idle", int(found["idle"]))
        if found["at_a_time"]:
            return cls(word, "connect", int(found["at_a_time"]), workers=workers)
        return cls(word, "unary" if found["unary"] else "streams", int(found["connections"]), int(found["streams"]),
                   1000 * int(found["rate"] or 0), 1024 * int(found["size"] or 0) or 4, workers)

    @property
    def idle(self):
        return self.kind == "idle"

    @property
    def all_streams(self):
        return self.connections * self.streams


ALL = ("200x1@20k,1000x1@20k,10x50@50k,4x1,50x1,1000x1,10x50,newconn4,unary50x10,4x4:16k,50x1/2,10x50/2,"
       "3000idle,6000idle")
