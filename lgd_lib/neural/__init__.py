"""Pretrained networks and the last layer on top of them; needs torch (the extra `neural`)."""
