"""TLS contexts, one for each set of options: making one reads the certificate store, which is slow."""

from __future__ import annotations

import ssl
from functools import lru_cache

from tocsin.core.policy import Tls


@lru_cache(maxsize=256)
def context_for(tls: Tls) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=tls.ca)
    if tls.cert is not None:
        context.load_cert_chain(tls.cert, tls.key)
    if not tls.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
