"""What the package holds; all else about it stands in pyproject.toml.

The schemas lie beside the package in the repository, where whoever edits them finds them, and inside it once installed.
pyproject.toml alone cannot say both that and "every package below endoscribe".
"""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["endoscribe*"]), "endoscribe.procedure_schemas"],
    package_dir={"endoscribe.procedure_schemas": "procedure_schemas"},
    package_data={"endoscribe": ["**/*"], "endoscribe.procedure_schemas": ["*"]},
    exclude_package_data={"": ["__pycache__/*", "**/__pycache__/*", "*.pyc"]},
)
