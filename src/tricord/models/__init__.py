"""Models: signature, package, export to ONNX with a proof that nothing changed, codecs."""
