"""YAML files to procedure schemas, their vocabulary and their checks."""
