--- types: media types by file name extension, as the IANA registry and long custom have them. A name that is not here
-- is application/octet-stream, which every reader lets its user save.

local types = {}

local BY_TYPE = {
  ["application/epub+zip"] = "epub",
  ["application/gzip"] = "gz tgz",
  ["application/java-archive"] = "jar",
  ["application/json"] = "json map",
  ["application/ld+json"] = "jsonld",
  ["application/mac-binhex40"] = "hqx",
  ["application/mathml+xml"] = "mathml",
  ["application/msword"] = "doc dot",
  ["application/octet-stream"] = "bin exe dll so deb dmg iso img msi",
  ["application/pdf"] = "pdf",
  ["application/pgp-encrypted"] = "pgp gpg",
  ["application/pgp-keys"] = "key",
  ["application/pgp-signature"] = "sig",
  ["application/pkcs10"] = "p10",
  ["application/pkcs12"] = "p12 pfx",
  ["application/pkcs7-mime"] = "p7m p7c",
  ["application/pkcs7-signature"] = "p7s",
  ["application/pkix-cert"] = "cer",
  ["application/pkix-crl"] = "crl",
  ["application/postscript"] = "ps eps ai",
  ["application/rss+xml"] = "rss",
  ["application/atom+xml"] = "atom",
  ["application/rtf"] = "rtf",
  ["application/sql"] = "sql",
  ["application/toml"] = "toml",
  ["application/vnd.android.package-archive"] = "apk",
  ["application/vnd.apple.keynote"] = "keynote",
  ["application/vnd.apple.numbers"] = "numbers",
  ["application/vnd.apple.pages"] = "pages",
  ["application/vnd.google-earth.kml+xml"] = "kml",
  ["application/vnd.google-earth.kmz"] = "kmz",
  ["application/vnd.ms-excel"] = "xls xlt",
  ["application/vnd.ms-excel.sheet.binary.macroEnabled.12"] = "xlsb",
  ["application/vnd.ms-excel.sheet.macroEnabled.12"] = "xlsm",
  ["application/vnd.ms-fontobject"] = "eot",
  ["application/vnd.ms-outlook"] = "msg",
  ["application/vnd.ms-powerpoint"] = "ppt pps",
  ["application/vnd.ms-powerpoint.presentation.macroEnabled.12"] = "pptm",
  ["application/vnd.ms-word.document.macroEnabled.12"] = "docm",
  ["application/vnd.oasis.opendocument.graphics"] = "odg",
  ["application/vnd.oasis.opendocument.presentation"] = "odp",
  ["application/vnd.oasis.opendocument.spreadsheet"] = "ods",
  ["application/vnd.oasis.opendocument.text"] = "odt",
  ["application/vnd.openxmlformats-officedocument.presentationml.presentation"] = "pptx",
  ["application/vnd.openxmlformats-officedocument.presentationml.slideshow"] = "ppsx",
  ["application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"] = "xlsx",
  ["application/vnd.openxmlformats-officedocument.wordprocessingml.document"] = "docx",
  ["application/vnd.openxmlformats-officedocument.wordprocessingml.template"] = "dotx",
  ["application/vnd.rar"] = "rar",
  ["application/vnd.sqlite3"] = "sqlite sqlite3",
  ["application/vnd.tcpdump.pcap"] = "pcap cap",
  ["application/vnd.visio"] = "vsd",
  ["application/wasm"] = "wasm",
  ["application/x-7z-compressed"] = "7z",
  ["application/x-bzip2"] = "bz2",
  ["application/x-pem-file"] = "pem",
  ["application/x-sh"] = "sh",
  ["application/x-tar"] = "tar",
  ["application/x-x509-ca-cert"] = "crt der",
  ["application/x-xz"] = "xz",
  ["application/xhtml+xml"] = "xhtml xht",
  ["application/xml"] = "xml xsd",
  ["application/xslt+xml"] = "xslt",
  ["application/yaml"] = "yaml yml",
  ["application/zip"] = "zip",
  ["application/zstd"] = "zst",
  ["audio/aac"] = "aac",
  ["audio/amr"] = "amr",
  ["audio/flac"] = "flac",
  ["audio/midi"] = "mid midi",
  ["audio/mp4"] = "m4a",
  ["audio/mpeg"] = "mp3",
  ["audio/ogg"] = "oga ogg opus",
  ["audio/vnd.wave"] = "wav",
  ["audio/webm"] = "weba",
  ["font/collection"] = "ttc",
  ["font/otf"] = "otf",
  ["font/ttf"] = "ttf",
  ["font/woff"] = "woff",
  ["font/woff2"] = "woff2",
  ["image/apng"] = "apng",
  ["image/avif"] = "avif",
  ["image/bmp"] = "bmp",
  ["image/gif"] = "gif",
  ["image/heic"] = "heic",
  ["image/heif"] = "heif",
  ["image/jpeg"] = "jpg jpeg jpe",
  ["image/jxl"] = "jxl",
  ["image/png"] = "png",
  ["image/svg+xml"] = "svg",
  ["image/tiff"] = "tif tiff",
  ["image/vnd.adobe.photoshop"] = "psd",
  ["image/vnd.dwg"] = "dwg",
  ["image/vnd.dxf"] = "dxf",
  ["image/vnd.microsoft.icon"] = "ico",
  ["image/webp"] = "webp",
  ["message/rfc822"] = "eml",
  ["model/gltf-binary"] = "glb",
  ["model/stl"] = "stl",
  ["text/calendar"] = "ics ifb",
  ["text/css"] = "css",
  ["text/csv"] = "csv",
  ["text/html"] = "html htm",
  ["text/javascript"] = "js mjs",
  ["text/markdown"] = "md markdown",
  ["text/plain"] = "txt text log conf ini asc c h lua py",
  ["text/tab-separated-values"] = "tsv",
  ["text/vcard"] = "vcf vcard",
  ["text/x-diff"] = "diff patch",
  ["video/3gpp"] = "3gp",
  ["video/mp4"] = "mp4 m4v",
  ["video/mpeg"] = "mpeg mpg",
  ["video/ogg"] = "ogv",
  ["video/quicktime"] = "mov qt",
  ["video/webm"] = "webm",
  ["video/x-matroska"] = "mkv",
  ["video/x-ms-wmv"] = "wmv",
  ["video/x-msvideo"] = "avi",
}

local BY_EXTENSION = {}
for media_type, extensions in pairs(BY_TYPE) do
  for extension in extensions:gmatch("%S+") do BY_EXTENSION[extension] = media_type end
end

--- What a type is when nothing says better.
types.DEFAULT = "application/octet-stream"

--- The media type that a file's name stands for.
---@param filename string|nil
---@return string
function types.of(filename)
  local extension = filename and filename:match("%.([^.]+)$")
  return extension and BY_EXTENSION[extension:lower()] or types.DEFAULT
end

local TOKEN = "[A-Za-z0-9!#$&+.^_`|~-]+"

-- Octets in the name of a type, a subtype or a parameter (RFC 6838 sections 4.2 and 4.3): they stand in one line.
local LONGEST = 127

-- Reads one parameter at `at`: its pair, and where the next one begins; nil when there is none.
local function parameter(s, at)
  local _, equals, name = s:find("^; *(" .. TOKEN .. ")=", at)
  if not equals or #name > LONGEST then return nil end
  local _, last, value = s:find("^(" .. TOKEN .. ") *", equals + 1)
  if not last then _, last, value = s:find('^"([^"\\]*)" *', equals + 1) end
  if not last then return nil end
  return { name:lower(), value }, last + 1
end

--- Reads a media type as a user writes it (RFC 2045 section 5.1): "text/csv; charset=utf-8".
---@param s string
---@return string|nil media_type in lower case
---@return table parameters list of { name, value }
function types.parse(s)
  local _, last, top, sub = s:find("^(" .. TOKEN .. ")/(" .. TOKEN .. ") *")
  local parameters = {}
  if not last or #top > LONGEST or #sub > LONGEST then return nil, {} end
  while last < #s do
    local pair, next_one = parameter(s, last + 1)
    if not pair then return nil, {} end
    parameters[#parameters + 1], last = pair, next_one - 1
  end
  return (top .. "/" .. sub):lower(), parameters
end

return types
