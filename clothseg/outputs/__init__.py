"""What is made of a result: cut-outs, items, masks, COCO, pictures."""
