"""A network of namespaces: one per region, joined by a bridge in a namespace of its own. Regions
can be cut from one another, both ways or one way. Needs root."""

import os
import subprocess

from .process import enter_namespace


def run(*command, check=True):
    done = subprocess.run(command, capture_output=True, text=True)
    if check and done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done


def inside(namespace):
    """What to put before a command so that it runs in the network of `namespace`. Not `ip netns
    exec`, which remounts what a container or a chroot may not."""
    return ["nsenter", f"--net=/run/netns/{namespace}"]


class Network:
    """with Network(["sin", "iad"]) as network: network.cut("sin", "iad"); network.heal()"""

    _count = 0

    def __init__(self, regions):
        Network._count += 1
        self.prefix = f"mrd{os.getpid()}x{Network._count}"
        self.regions = list(regions)

    def namespace(self, region):
        return f"{self.prefix}-{region}"

    def address(self, region):
        return f"10.77.{self.regions.index(region) + 1}.1"

    def __enter__(self):
        try:
            self._build()
        except BaseException:
            self.close()
            raise
        return self

    def _build(self):
        wan = f"{self.prefix}-wan"
        run("ip", "netns", "add", wan)
        run(*inside(wan), "ip", "link", "add", "br0", "type", "bridge")
        run(*inside(wan), "ip", "link", "set", "br0", "up")
        for region in self.regions:
            name, port = self.namespace(region), f"p{self.regions.index(region)}"
            run("ip", "netns", "add", name)
            run(*inside(name), "ip", "link", "set", "lo", "up")
            run(
                *inside(wan),
                "ip",
                "link",
                "add",
                port,
                "type",
                "veth",
                "peer",
                "name",
                "wan0",
                "netns",
                name,
            )
            run(*inside(wan), "ip", "link", "set", port, "master", "br0", "up")
            run(*inside(name), "ip", "address", "add", f"{self.address(region)}/16", "dev", "wan0")
            run(*inside(name), "ip", "link", "set", "wan0", "up")
            self._nft(
                region,
                "add table inet cut\n"
                "add chain inet cut in { type filter hook input priority 0; }\n"
                "add chain inet cut out { type filter hook output priority 0; }\n",
            )

    def _nft(self, region, rules):
        done = subprocess.run(
            [*inside(self.namespace(region)), "nft", "-f", "-"],
            input=rules,
            capture_output=True,
            text=True,
        )
        if done.returncode != 0:
            raise RuntimeError(f"nft in {region}: {done.stderr.strip()}")

    def cut_one_way(self, source, destination):
        """Packets from `source` to `destination` are dropped from now on; nothing is answered."""
        self._nft(destination, f"add rule inet cut in ip saddr {self.address(source)} drop\n")

    def cut(self, one, other):
        self.cut_one_way(one, other)
        self.cut_one_way(other, one)

    def isolate(self, region):
        for other in self.regions:
            if other != region:
                self.cut(region, other)

    def heal(self):
        for region in self.regions:
            self._nft(region, "flush chain inet cut in\nflush chain inet cut out\n")

    def loopback(self, region):
        """Where what is only for the region itself listens, in its namespace."""
        return f"127.0.{self.regions.index(region) + 1}.1"

    def enter(self, region):
        """Moves the calling thread into the namespace of `region`."""
        enter_namespace(self.namespace(region))

    def close(self):
        for name in [self.namespace(region) for region in self.regions] + [f"{self.prefix}-wan"]:
            run("ip", "netns", "del", name, check=False)

    def __exit__(self, *_):
        self.close()
