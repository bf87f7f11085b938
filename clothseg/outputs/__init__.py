"""Outputs of a result: cut-outs, items, masks, COCO, pictures."""
