"""What the end-to-end, differential and threat tests share: the real binary, real peers, strict readers."""
