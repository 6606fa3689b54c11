"""Who vouches for mail that crosses the edge: SPF, DKIM and DMARC on the way in, our DKIM signatures on the way out."""
