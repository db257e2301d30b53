#include <config.h>

#include "page.h"
#include "page_parts.h"

/* Colours: each pair of text and ground has a contrast of at least 4.5 to 1 (WCAG 2.2, 1.4.3), light and dark; tests/e2e measures it. */
static const char style[] =
	":root{color-scheme:light dark;--ground:#fff;--card:#f4f6f8;--line:#c9d1d9;--text:#1a1f24;--soft:#535c66;--blue:#0a5cad;"
	"--good:#0f5c27;--poor:#7d4200;--bad:#a8121b}\n"
	"@media(prefers-color-scheme:dark){:root{--ground:#10151b;--card:#1a212a;--line:#3a4654;--text:#e6eaef;--soft:#a3afbb;"
	"--blue:#6cb6ff;--good:#5bd97a;--poor:#e8b84a;--bad:#ff8f87}}\n"
	"*{box-sizing:border-box}\n"
	"body{margin:0 auto;max-width:64rem;padding:1rem;background:var(--ground);color:var(--text);"
	"font:1rem/1.45 system-ui,sans-serif;overflow-wrap:anywhere}\n"
	"h1{font-size:1.4rem;margin:0}h2{font-size:1.05rem;margin:0 0 .35rem}\n"
	"header{display:flex;flex-wrap:wrap;gap:.25rem 1rem;align-items:baseline;justify-content:space-between}\n"
	"p{margin:.25rem 0}small,.soft{color:var(--soft);font-size:.875rem}\n"
	"#health{font-weight:600;margin:.5rem 0}.good{color:var(--good)}.poor{color:var(--poor)}.bad{color:var(--bad)}\n"
	".warnings{margin:.5rem 0 1rem;padding:.5rem .75rem .5rem 1.75rem;border-left:.3rem solid var(--bad);background:var(--card)}\n"
	"dl{display:grid;grid-template-columns:repeat(auto-fit,minmax(9.5rem,1fr));gap:.6rem;margin:.75rem 0}\n"
	"dl div{background:var(--card);border-radius:.4rem;padding:.5rem .75rem}dt{color:var(--soft);font-size:.875rem}\n"
	"dd{margin:0;font-weight:600}dd small{font-weight:400;display:block}\n"
	".plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(18rem,1fr));gap:.6rem;margin:.75rem 0}\n"
	"figure{margin:0;background:var(--card);border-radius:.4rem;padding:.5rem .75rem}figcaption{font-size:.875rem}\n"
	".scale{display:flex;justify-content:space-between;color:var(--soft);font-size:.875rem}\n"
	"svg{display:block;width:100%;height:auto}svg line{stroke:var(--line)}svg .bar{fill:var(--blue)}svg .dot{fill:var(--poor)}\n"
	"form{display:flex;flex-wrap:wrap;gap:.5rem;margin:1rem 0 .5rem;align-items:end}label{flex:1 1 14rem}\n"
	"input,button{font:inherit;color:var(--text);background:var(--ground);border:1px solid var(--soft);border-radius:.4rem;"
	"padding:.4rem .6rem;min-height:2.75rem}input{width:100%}button{cursor:pointer}\n"
	"::placeholder{color:var(--soft);opacity:1}\n"
	":focus-visible{outline:.2rem solid var(--blue);outline-offset:.1rem}a{color:var(--blue)}\n"
	"table{width:100%;border-collapse:collapse}caption{text-align:left;color:var(--soft);font-size:.875rem;padding:.25rem 0}\n"
	"th,td{text-align:left;vertical-align:top;padding:.4rem .5rem .4rem 0;border-bottom:1px solid var(--line)}\n"
	"td:last-child{white-space:nowrap}th{font-weight:600}thead th{color:var(--soft);font-size:.875rem}th small,td small{display:block;font-weight:400}\n"
	"th span{font-weight:400;color:var(--soft)}footer{margin:1rem 0}\n";

/*
 * What is exchanged was made by this daemon for this very page, is parsed without running anything, and may hold neither script nor style: the
 * policy forbids all but these two. It rests while nobody looks.
 */
static const char script[] =
	"'use strict';(function(){\n"
	"const parts=['health','overview','names'],fresh=document.getElementById('fresh');let timer=0,seen=new Date();\n"
	"function take(text){const next=new DOMParser().parseFromString(text,'text/html');\n"
	"for(const id of parts){const old=document.getElementById(id),now=next.getElementById(id);\n"
	"if(!now)throw new Error('not the page');\n"
	"if(old.innerHTML!==now.innerHTML){old.className=now.className;old.replaceChildren(...now.childNodes);}}\n"
	"document.title=next.title;seen=new Date();fresh.textContent='Follows every change.';fresh.className='soft';}\n"
	"async function turn(){clearTimeout(timer);if(document.hidden)return;\n"
	"const stop=new AbortController(),limit=setTimeout(()=>stop.abort(),5000);\n"
	"try{const answer=await fetch(location.href,{cache:'no-store',credentials:'omit',signal:stop.signal});\n"
	"if(!answer.ok)throw new Error(answer.status);take(await answer.text());}\n"
	"catch(error){fresh.textContent='The daemon does not answer. This is how it was at '+seen.toLocaleTimeString()+'.';"
	"fresh.className='bad';}\n"
	"clearTimeout(limit);clearTimeout(timer);timer=setTimeout(turn,2000);}\n"
	"document.addEventListener('visibilitychange',turn);fresh.textContent='Follows every change.';timer=setTimeout(turn,2000);})();\n";

void page_head(FILE *out)
{
	fprintf(out,
	        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
	        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
	        "<noscript><meta http-equiv=\"refresh\" content=\"5\"></noscript>\n<style>%s</style>\n",
	        style);
}

void page_script(FILE *out)
{
	fprintf(out, "<script>%s</script>\n", script);
}

/*
 * SHA-256 of the two texts above, in Base64: tests/unit/host/web/page.c says when they are others, and what they are. Computed here they would
 * bring all of OpenSSL to life: 2.5 MB in every daemon, for two constants.
 */
#define STYLE_HASH  "cV7aEV3jVGbEtfK1pqVXjSsuaTgQTNv3HSKh75zW99Y="
#define SCRIPT_HASH "cXuiFZZ8IDNQTr8ww16Y2u1pPr+q4qQs3vB6PrIvyTk="

const char *page_csp(void)
{
	return "default-src 'none'; style-src 'sha256-" STYLE_HASH "'; script-src 'sha256-" SCRIPT_HASH
	       "'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
}
