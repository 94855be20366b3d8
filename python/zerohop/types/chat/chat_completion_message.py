"""What the model says."""

from ..._native import Annotation, AnnotationURLCitation, ChatCompletionMessage, FunctionCall

__all__ = ["Annotation", "AnnotationURLCitation", "ChatCompletionMessage", "FunctionCall"]
