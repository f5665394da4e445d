#!/bin/sh
# A small MCP server on standard input and output. It answers a call of
#   who     with its process id and $TOKEN
#   wait    never
#   tell    after it has told of its progress
#   ask     when it has been told the client's roots
#   die     by ending
printf 'a word on stdout that is no message\n'
printf 'begun with %s\n' "${TOKEN:-no token}" >&2
[ -z "${OTHER_TOKEN+x}" ] || printf 'got what it is not to get\n' >&2

tool() { printf '{"name":"%s","description":"%s","inputSchema":{"type":"object"},"annotations":{"readOnlyHint":%s}}' "$1" "$1" "$2"; }
answer() { printf '{"jsonrpc":"2.0","id":%s,"result":%s}\n' "$1" "$2"; }
text() { answer "$1" "{\"content\":[{\"type\":\"text\",\"text\":\"$2\"}]}"; }

while IFS= read -r line; do
  id=$(printf '%s\n' "$line" | sed -n 's/.*"id":\([0-9]*\).*/\1/p')
  case $line in
    *'"method":"initialize"'*)
      answer "$id" '{"protocolVersion":"2025-03-26","capabilities":{"tools":{}},"serverInfo":{"name":"small","version":"1"}}' ;;
    *'"method":"tools/list"'*)
      answer "$id" "{\"tools\":[$(tool who true),$(tool wait false),$(tool tell false),$(tool ask false),$(tool die false)]}" ;;
    *'"name":"who"'*) text "$id" "$$ ${TOKEN:-no token} ${PLAIN:-nothing}" ;;
    *'"name":"wait"'*) echo waiting >&2 ;;
    *'"name":"tell"'*)
      printf '{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"t-%s","progress":1}}\n' "$id"
      text "$id" done ;;
    *'"name":"ask"'*)
      asked=$id
      printf '{"jsonrpc":"2.0","id":900,"method":"roots/list"}\n' ;;
    *'"id":900'*) text "$asked" "heard" ;;
    *'"name":"die"'*)
      echo "told to die" >&2
      exit 3 ;;
    *'"method":"notifications/'*) ;;
    *) printf '{"jsonrpc":"2.0","id":%s,"error":{"code":-32601,"message":"unknown"}}\n' "$id" ;;
  esac
done
