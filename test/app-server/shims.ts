/** The texts that package managers put on PATH, as they write them; `target` is relative to the shim. */

function backward(target: string): string {
  return target.replaceAll("/", "\\");
}

export function npmCmd(target: string): string {
  return [
    "@ECHO off",
    "GOTO start",
    ":find_dp0",
    "SET dp0=%~dp0",
    "EXIT /b",
    ":start",
    "SETLOCAL",
    "CALL :find_dp0",
    "",
    'IF EXIST "%dp0%\\node.exe" (',
    '  SET "_prog=%dp0%\\node.exe"',
    ") ELSE (",
    '  SET "_prog=node"',
    "  SET PATHEXT=%PATHEXT:;.JS;=;%",
    ")",
    "",
    `endLocal & goto #_undefined_# 2>NUL || title %COMSPEC% & "%_prog%"  "%dp0%\\${backward(target)}" %*`,
    "",
  ].join("\r\n");
}

export function npmPowerShell(target: string): string {
  return [
    "#!/usr/bin/env pwsh",
    "$basedir=Split-Path $MyInvocation.MyCommand.Definition -Parent",
    "",
    'if (Test-Path "$basedir/node$exe") {',
    `  & "$basedir/node$exe"  "$basedir/${target}" $args`,
    "} else {",
    `  & "node$exe"  "$basedir/${target}" $args`,
    "}",
    "",
  ].join("\n");
}

export function npmSh(target: string): string {
  return [
    "#!/bin/sh",
    `basedir=$(dirname "$(echo "$0" | sed -e 's,\\\\,/,g')")`,
    "",
    'if [ -x "$basedir/node" ]; then',
    `  exec "$basedir/node"  "$basedir/${target}" "$@"`,
    "else",
    `  exec node  "$basedir/${target}" "$@"`,
    "fi",
    "",
  ].join("\n");
}

export function pnpmCmd(target: string): string {
  return [
    "@SETLOCAL",
    "@IF NOT DEFINED NODE_PATH (",
    '  @SET "NODE_PATH=C:\\pnpm\\global\\5\\.pnpm\\node_modules"',
    ")",
    '@IF EXIST "%~dp0\\node.exe" (',
    `  "%~dp0\\node.exe"  "%~dp0\\${backward(target)}" %*`,
    ") ELSE (",
    "  @SET PATHEXT=%PATHEXT:;.JS;=;%",
    `  node  "%~dp0\\${backward(target)}" %*`,
    ")",
    "",
  ].join("\r\n");
}

export function voltaCmd(): string {
  return '@echo off\r\n"%~dp0\\volta.exe" run %~n0 %*\r\n';
}
