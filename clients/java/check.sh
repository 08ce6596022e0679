#!/usr/bin/env bash
# Builds the helper for Java, runs its tests, and plays the conformance cases against it.
# Usage: clients/java/check.sh (from the repository's root)
set -euo pipefail

tools/deps.sh javac mvn
work=$PWD/.cache/clients/java
maven=mvn
oldest=3.9.6 fetched=3.9.11 # Debian's is too old for the protobuf plugin
found=$(mvn -v | sed -n 's/.*Apache Maven \([0-9.]*\).*/\1/p')
if [[ $(printf '%s\n' $oldest "$found" | sort -V | head -n 1) != "$oldest" ]]; then
  maven=$work/apache-maven-$fetched/bin/mvn
  if [[ ! -x $maven ]]; then
    mkdir -p "$work"
    (
      cd "$work"
      mvn -q -B org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy \
        -Dartifact=org.apache.maven:apache-maven:$fetched:tar.gz:bin -DoutputDirectory=. </dev/null
      tar -xzf apache-maven-$fetched-bin.tar.gz
    )
  fi
fi
(
  cd clients/java
  "$maven" -q -B package org.apache.maven.plugins:maven-dependency-plugin:3.8.1:build-classpath \
    -Dmdep.outputFile="$work/classpath" -Dmdep.includeScope=test </dev/null
)
go run ./clients/conformance/run -- java -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xmx256m \
  -cp "clients/java/target/classes:clients/java/target/test-classes:$(<"$work/classpath")" io.github.parleygateway.parley.client.Driver
