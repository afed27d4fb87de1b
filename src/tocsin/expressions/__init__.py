"""Conditions in CEL: texts in, plain callables out. Importing this loads no CEL; compiling does."""

from tocsin.expressions.decision import compared_words, compile_decision
from tocsin.expressions.errors import ExpressionError, Fault
from tocsin.expressions.exit import compile_exit
from tocsin.expressions.probe import check_condition, check_tcp_condition, check_value, compile_probe, compile_tcp
from tocsin.expressions.syntax import check_regex

__all__ = [
    "ExpressionError",
    "Fault",
    "check_condition",
    "check_regex",
    "check_tcp_condition",
    "check_value",
    "compared_words",
    "compile_decision",
    "compile_exit",
    "compile_probe",
    "compile_tcp",
]
