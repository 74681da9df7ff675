# shellcheck shell=bash
# The Airflow versions that the tests run on: the last release of each minor, oldest first. Source this file.
# shellcheck disable=SC2034
AIRFLOW_VERSIONS=(3.0.6 3.1.8 3.2.2 3.3.2)
