/*
 * Just enough JSON for the examples to write and read what they need. Programs of your own will rather use a JSON
 * library.
 */
#ifndef EXAMPLE_JSON_H
#define EXAMPLE_JSON_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The end of a JSON value that begins at `at`. The replies are valid JSON, so little can go wrong. */
static inline const char *json_end(const char *at) {
  int depth = 0;
  do {
    if (*at == '"') {
      for (at++; *at != '"'; at++) at += *at == '\\';
    } else if (*at == '{' || *at == '[') {
      depth++;
    } else if (*at == '}' || *at == ']') {
      depth--;
    } else if (depth == 0) {
      return at + strcspn(at, ",]} \n");
    }
    at++;
  } while (depth > 0);
  return at;
}

static inline const char *json_skip(const char *at, const char *characters) {
  return at + strspn(at, characters);
}

/* The value of a member of the object, or an element of the array, that begins at `at`; NULL for none. `key` is
   the member's name, or NULL for the first element. */
static inline const char *json_get(const char *at, const char *key) {
  if (at == NULL) return NULL;
  if (key == NULL) {
    const char *first = json_skip(at + (*at == '['), " \n");
    return *at == '[' && *first != ']' ? first : NULL;
  }
  size_t length = strlen(key);
  for (at = json_skip(at, "{ \n"); *at == '"'; at = json_skip(at, ", \n")) {
    const char *value = json_skip(json_end(at), ": \n");
    if (strncmp(at + 1, key, length) == 0 && at[1 + length] == '"') return value;
    at = json_end(value);
  }
  return NULL;
}

/* The text of a JSON string, to be freed. Of \u escapes, it keeps only those for ASCII. */
static inline char *json_text(const char *string) {
  char *text = (char *)malloc((size_t)(json_end(string) - string));
  char *out = text;
  if (text == NULL) exit(1);
  for (const char *at = string + 1; *at != '"'; at++) {
    unsigned code;
    if (*at != '\\') {
      *out++ = *at;
    } else if (*++at == 'u' && sscanf(at + 1, "%4x", &code) == 1) {
      *out++ = code < 0x80 ? (char)code : '?';
      at += 4;
    } else {
      *out++ = *at == 'n' ? '\n' : *at == 't' ? '\t' : *at;
    }
  }
  *out = '\0';
  return text;
}

/* The text as a JSON string, to be freed. */
static inline char *json_string(const char *text) {
  char *string = (char *)malloc(6 * strlen(text) + 3);
  char *out = string;
  if (string == NULL) exit(1);
  *out++ = '"';
  for (; *text != '\0'; text++) {
    unsigned char byte = (unsigned char)*text;
    if (byte < 0x20) {
      out += sprintf(out, "\\u%04x", (unsigned)byte);
    } else {
      if (byte == '"' || byte == '\\') *out++ = '\\';
      *out++ = (char)byte;
    }
  }
  *out++ = '"';
  *out = '\0';
  return string;
}

#endif
