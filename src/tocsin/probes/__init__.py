"""Probing: from a check to an observation. Nothing here says what an answer means; that is `core.verdict`."""

from __future__ import annotations

from tocsin.probes.router import Probes


def build_probes() -> Probes:
    """All kinds of probes behind one port, within what the machine allows. To be used from one event loop."""
    from tocsin.ports import Prober
    from tocsin.probes.descriptors import raise_limit, room
    from tocsin.probes.http.wire import WireProber
    from tocsin.probes.opening import Opener
    from tocsin.probes.resolver import Resolver
    from tocsin.probes.tcp import TcpProber
    from tocsin.probes.tls import Certificates, Contexts

    space = room(raise_limit())
    opener, certificates = Opener(Resolver(), Contexts()), Certificates()

    def library() -> Prober:
        # httpx costs 0.3 s and 23 MB: only where a check needs it.
        from tocsin.probes.http.library import LibraryProber

        return LibraryProber(opener, certificates)

    return Probes(WireProber(opener, certificates, space.idle), TcpProber(opener, certificates), library, space.at_once)


__all__ = ["Probes", "build_probes"]
