"""One frame with a VLAN tag, sent or heard. Heard ones are printed as their tag.

    frames.py send DEVICE TAG
    frames.py hear DEVICE
"""

import signal
import socket
import struct
import sys

VLAN = 0x8100
EVERYTHING = 0x0003
LOCAL_EXPERIMENT = 0x88B5  # IEEE 802, for private use
MARK = b"tagged, and none of the kernel's own"
# From linux/if_packet.h: the kernel takes the tag from the frame and tells it beside.
SOL_PACKET, PACKET_AUXDATA, TP_STATUS_VLAN_VALID = 263, 8, 1 << 4
AUXDATA = struct.Struct("=IIIHHHH")


def send(device, tag):
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as out:
        out.bind((device, 0))
        source = out.getsockname()[4]
        head = b"\xff" * 6 + source + struct.pack("!HHH", VLAN, tag, LOCAL_EXPERIMENT)
        out.send((head + MARK).ljust(60, b"\0"))


def hear(device):
    signal.alarm(20)
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(EVERYTHING)) as heard:
        heard.bind((device, EVERYTHING))
        heard.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
        print("listening", flush=True)
        while True:
            frame, more, _, _ = heard.recvmsg(2000, socket.CMSG_SPACE(AUXDATA.size))
            for level, kind, data in more:
                if MARK in frame and (level, kind) == (SOL_PACKET, PACKET_AUXDATA):
                    status, *_, tag, _ = AUXDATA.unpack(data)
                    return tag if status & TP_STATUS_VLAN_VALID else None


what, device, *tag = sys.argv[1:]
if what == "send":
    send(device, int(*tag))
else:
    print(hear(device))
