"""Figures and pages made from nodes."""
